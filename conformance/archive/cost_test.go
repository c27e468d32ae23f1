package archive

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

var costFlag = flag.Bool("cost", false, "also measure what an archive costs the zkine that makes it: make archive-cost")

const (
	costTurns   = 5
	costTurn    = 5 * time.Second
	costClients = 100
)

// TestCost has clients write to two zkines of one ZooKeeper in turns, of which one archives, to a disk of its own (in
// memory) and to ZooKeeper's. A turn ends when all of it is archived, so that its cost is in it.
func TestCost(t *testing.T) {
	if !*costFlag {
		t.Skip("measures for minutes; make archive-cost runs it")
	}
	program, err := rig.BuildZkine(context.Background())
	require.NoError(t, err)
	for name, folder := range map[string]string{"another disk": "/dev/shm", "ZooKeeper's disk": os.TempDir()} {
		t.Run(name, func(t *testing.T) {
			archive, err := os.MkdirTemp(folder, "zkine-archive-cost-")
			require.NoError(t, err)
			t.Cleanup(func() { os.RemoveAll(archive) })
			server := zktest.Start(t)
			start := func(args ...string) *rigtest.Zkine {
				return rigtest.StartAs(t, rig.ZkineConfig{Program: program, ZooKeeper: server.Addr(), Root: zktest.Root(t), Args: args})
			}
			without, with := start(), start("--archive="+archive, "--archive-interval=2s")
			var rates, costs []float64
			for i := range costTurns {
				a, b := turn(t, without, false), turn(t, with, true)
				if i == 0 {
					continue // both begin cold
				}
				rates, costs = append(rates, b.rate/a.rate), append(costs, b.cpu/a.cpu)
				t.Logf("%.0f updates/s at %.0f µs each without, %.0f at %.0f with", a.rate, a.cpu, b.rate, b.cpu)
			}
			slices.Sort(rates)
			slices.Sort(costs)
			t.Logf("with an archive on %s: %.2f of the updates (%.2f to %.2f), %.2f of the zkine's processor time for each (%.2f to %.2f)", name,
				rates[len(rates)/2], rates[0], rates[len(rates)-1], costs[len(costs)/2], costs[0], costs[len(costs)-1])
		})
	}
}

// measured is what a turn has come to: updates a second, and microseconds of the zkine's processor time for each.
type measured struct{ rate, cpu float64 }

func turn(t *testing.T, z *rigtest.Zkine, archives bool) measured {
	t.Helper()
	c := connect(t, z)
	before := processorTime(t, z.Pid())
	began, n := time.Now(), make([]int, costClients)
	g := errgroup.Group{}
	for i := range costClients {
		g.Go(func() error {
			for time.Since(began) < costTurn {
				if _, err := c.Do(within(t), clientv3.OpPut(fmt.Sprintf("key/%d/%d", i, n[i]%100), strings.Repeat("v", 1024))); err != nil {
					return err
				}
				n[i]++
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	took, all := time.Since(began), 0
	for _, one := range n {
		all += one
	}
	if ended := time.Now(); archives {
		require.Eventually(t, func() bool {
			lag, err := strconv.ParseFloat(metric(t, z, "zkine_archive_lag_seconds"), 64)
			return err == nil && lag < time.Since(ended).Seconds()
		}, patience, 100*time.Millisecond)
	}
	return measured{float64(all) / took.Seconds(), float64((processorTime(t, z.Pid()) - before).Microseconds()) / float64(all)}
}

// processorTime is what a process has used.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	fields := strings.Fields(string(text)[strings.LastIndex(string(text), ")")+2:])
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
