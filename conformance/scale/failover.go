package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/rig"
)

const (
	members   = 3
	failovers = 3
	// ensembleHeap is enough for the state; three of the large one do not fit on a small machine.
	ensembleHeap = 2 * gib
)

// measureFailover kills the leader of an ensemble of three that holds very many keys, and measures how long no write
// is acknowledged.
func measureFailover(ctx context.Context, b *bench) (err error) {
	servers, err := b.startZooKeepers(ctx, "ensemble", members, ensembleHeap)
	if err != nil {
		return err
	}
	defer servers.Kill()
	s, err := b.newStore(servers.Addresses())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	if _, err := s.start(ctx); err != nil {
		return err
	}
	if _, err := s.load(ctx, b.large, (*maker).kilobyte); err != nil {
		return err
	}
	if err := s.tidy(ctx); err != nil {
		return err
	}
	var gaps []time.Duration
	for range failovers {
		gap, err := s.killLeader(ctx, servers)
		if err != nil {
			return err
		}
		gaps = append(gaps, gap)
	}
	b.table.note(fmt.Sprintf("failover of ZooKeeper's leader, three servers, %d keys of 1 KiB", b.large),
		"longest time without an acknowledged write after a kill -9 of the leader: %s", listSeconds(gaps))
	return nil
}

func listSeconds(times []time.Duration) string {
	var all []string
	for _, t := range times {
		all = append(all, fmt.Sprintf("%.1f s", t.Seconds()))
	}
	return strings.Join(all, ", ")
}

// killLeader writes all the time, kills the leader, which its supervisor starts again, and returns the longest time
// between two acknowledged writes. It ends once all servers serve again.
func (s *store) killLeader(ctx context.Context, servers *rig.ZooKeepers) (longest time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	leader, err := servers.Leader(ctx)
	if err != nil {
		return 0, err
	}
	began, last := time.Now(), time.Now()
	killed, quiet := false, time.Duration(0)
	for quiet < 5*time.Second {
		attempt, done := context.WithTimeout(ctx, 500*time.Millisecond)
		_, err := s.kv.Put(attempt, &pb.PutRequest{Key: []byte("failover"), Value: []byte("x")})
		done()
		if ctx.Err() != nil {
			return 0, fmt.Errorf("no write was acknowledged: %w", err)
		}
		now := time.Now()
		if err == nil {
			if gap := now.Sub(last); killed && gap > longest {
				longest = gap
			}
			last = now
		}
		if !killed && now.Sub(began) > time.Second {
			leader.Signal(syscall.SIGKILL)
			killed, began = true, now
		}
		if killed && err == nil && longest > 0 && servers.Serve(ctx) == nil {
			quiet = now.Sub(began)
		}
	}
	return longest, nil
}
