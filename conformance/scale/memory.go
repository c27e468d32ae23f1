package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/conformance/rig"
)

const (
	// updatersAtOnce are the clients of updates, updatedKeys how many keys they go round.
	updatersAtOnce = 100
	updatedKeys    = 20_000
	// perUpdate is how many keys there are for each update.
	perUpdate = 5
	// mostPeak and mostPods are what is asked of zkine's memory, against the raw bytes.
	mostPeak = 1.6
	mostPods = 1.0
)

// updates gives existing keys new values, each in a request of its own, from many clients. What they replace stays: it
// is history.
func (s *store) updates(ctx context.Context, prefix string, n int, make func(k *maker, i int) object) error {
	keys, err := s.someKeys(ctx, prefix, updatedKeys)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for client := range updatersAtOnce {
		group.Go(func() error {
			k := newMaker(uint64(client) + 1<<40)
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if _, err := s.kv.Put(ctx, &pb.PutRequest{Key: keys[i%len(keys)], Value: make(k, i).value}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// judgePeak sets the most memory that zkine has held so far against the raw bytes.
func (s *store) judgePeak(ctx context.Context, what string, raw int64, most float64) error {
	now, peak, err := s.settled(ctx)
	if err != nil {
		return err
	}
	share := float64(peak) / float64(raw)
	s.bench.table.judge("resident memory of zkine, "+what+", peak over load and updates", fmt.Sprintf("%.1fx the raw bytes or less", most),
		share <= most, "%.2fx: %s of %s raw; %.2fx when it has settled", share, mib(peak), mib(raw), float64(now)/float64(raw))
	return nil
}

// measureMemory sets what zkine holds now against the raw bytes.
func (s *store) measureMemory(ctx context.Context, raw int64, when string) error {
	now, peak, err := s.settled(ctx)
	if err != nil {
		return err
	}
	share := float64(now) / float64(raw)
	s.bench.table.judge("resident memory of zkine, "+when, "under 2.5x the raw bytes", share < 2.5,
		"%.2fx: %s; %.2fx at most so far", share, mib(now), float64(peak)/float64(raw))
	return nil
}

// settled is the process's memory after it had time to give some back.
func (s *store) settled(ctx context.Context) (now, peak int64, err error) {
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return 0, 0, context.Cause(ctx)
	}
	return resident(s.Process)
}

var residentSize = regexp.MustCompile(`(?m)^Vm(RSS|HWM):\s+(\d+) kB`)

// resident is the memory that a process has now, and has had at most, in bytes.
func resident(p *rig.Process) (now, peak int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		return 0, 0, err
	}
	for _, m := range residentSize.FindAllSubmatch(data, -1) {
		k, err := strconv.ParseInt(string(m[2]), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		if string(m[1]) == "RSS" {
			now = k << 10
		} else {
			peak = k << 10
		}
	}
	return now, peak, nil
}
