package robustness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// controlGroups are where memory limits can be had: the second version of
// control groups, or the first.
var controlGroups = []struct{ root, limit string }{
	{"/sys/fs/cgroup", "memory.max"},
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
}

// exceedMemoryLimit puts a zkine into a control group of its own, which lets it have
// little more memory than it has, and sends it large requests, all of which it
// refuses once it has them in memory, until the kernel kills it.
func exceedMemoryLimit(ctx context.Context, e *faultEnv) error {
	z := e.anyZkine()
	e.hit(z)
	group, err := z.confine(8 << 20)
	if err != nil {
		return err
	}
	defer os.Remove(group)
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{z.Endpoint}, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer c.Close()
	value := strings.Repeat("x", 1<<20)
	var senders sync.WaitGroup
	for range 32 {
		senders.Go(func() {
			for z.Ended() == nil && ctx.Err() == nil {
				callCtx, cancel := context.WithTimeout(ctx, time.Second)
				_, _ = c.Put(callCtx, "", value) // no key: refused before it comes near the log
				cancel()
			}
		})
	}
	senders.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("%s lives within its memory limit: %w", z.Name, context.Cause(ctx))
	}
	z.Kill() // reaps what the kernel has killed
	if err := e.othersGoOn(ctx); err != nil {
		return err
	}
	return z.Start()
}

// confine gives the process that much more memory than it uses now, and returns
// the folder of its control group.
func (z *Zkine) confine(more int64) (group string, err error) {
	for _, v := range controlGroups {
		group = filepath.Join(v.root, fmt.Sprintf("robustness-%d-%s", os.Getpid(), z.Name))
		if err = os.Mkdir(group, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			continue
		}
		if _, err = os.Stat(filepath.Join(group, v.limit)); err != nil {
			os.Remove(group)
			continue
		}
		pid := strconv.Itoa(z.Pid())
		if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(pid), 0o644); err != nil {
			return group, err
		}
		// What it held before stays charged elsewhere: the limit is for what comes.
		return group, os.WriteFile(filepath.Join(group, v.limit), []byte(strconv.FormatInt(more, 10)), 0o644)
	}
	return "", fmt.Errorf("no control group with a memory limit can be made: %w", err)
}
