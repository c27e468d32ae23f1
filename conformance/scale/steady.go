package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/revision/embedded"
)

const (
	nodes = 1000
	// leaseEvery and statusEvery are kubelet's, in simulated seconds.
	leaseEvery  = 10
	statusEvery = 300
	// eventsEvery and eventsKept are an ordinary day's: in a step of statusEvery, and for an hour.
	eventsEvery = 500
	eventsKept  = 12
)

// measureSteady makes the writes of a cluster's day, as fast as they go, and looks whether what ZooKeeper holds grows.
func measureSteady(ctx context.Context, z *embedded.Server, s *store) error {
	b := s.bench
	began := time.Now()
	var samples []census
	for step := range b.hours * 3600 / statusEvery {
		if err := s.step(ctx, step); err != nil {
			return err
		}
		if (step+1)%(3600/statusEvery) == 0 { // an hour
			c, err := takeCensus(ctx, z.Addr(), root)
			if err != nil {
				return err
			}
			samples = append(samples, c)
		}
	}
	took := time.Since(began)
	size := func(c census) float64 { return float64(c.bytes) }
	count := func(c census) float64 { return float64(c.znodes) }
	// The first quarter fills up.
	quarter := max(1, len(samples)/4)
	early, late := samples[quarter:min(2*quarter, len(samples))], samples[len(samples)-quarter:]
	if len(early) == 0 {
		early = late
	}
	growth := median(late, size) / median(early, size)
	var hours []string
	for _, c := range samples {
		hours = append(hours, fmt.Sprintf("%.1f/%d", size(c)/(1<<20), c.znodes))
	}
	writes := b.hours*3600*nodes/leaseEvery + b.hours*3600/statusEvery*(nodes+eventsEvery)
	b.table.judge(fmt.Sprintf("steady state, %d h of a 1,000-node cluster's writes (%d)", b.hours, writes), "flat", growth < 1.2,
		"last quarter %.2fx of the second (medians: %s and %.0f znodes, %s and %.0f before), in %v; MiB/znodes by the hour: %s",
		growth, mib(int64(median(late, size))), median(late, count), mib(int64(median(early, size))), median(early, count), took.Round(time.Second), strings.Join(hours, ", "))
	return nil
}

// step is five minutes: heartbeats of all nodes every ten seconds, one status of each, some events that replace those
// of an hour ago, and a compaction, as kube-apiserver does it: at the revision of five minutes before.
func (s *store) step(ctx context.Context, step int) error {
	group, groupCtx := errgroup.WithContext(ctx)
	for worker := range loaders {
		group.Go(func() error {
			k := newMaker(uint64(step*loaders + worker))
			for beat := range statusEvery / leaseEvery {
				var objects []object
				for n := worker; n < nodes; n += loaders {
					objects = append(objects, k.lease(n, epoch+int64(step*statusEvery+beat*leaseEvery)))
				}
				if _, err := s.putAll(groupCtx, objects); err != nil {
					return err
				}
			}
			var objects []object
			for n := worker; n < nodes; n += loaders {
				objects = append(objects, k.nodeStatus(n, epoch+int64(step*statusEvery)))
			}
			for i := worker; i < eventsEvery; i += loaders {
				o := k.event(step*eventsEvery + i)
				o.key = fmt.Appendf(nil, "/registry/events/default/event-%d-%d", step%eventsKept, i)
				objects = append(objects, o)
			}
			_, err := s.putAll(groupCtx, objects)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	r, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("ready")})
	if err != nil {
		return err
	}
	if s.compactNext > 0 {
		if _, err := s.kv.Compact(ctx, &pb.CompactionRequest{Revision: s.compactNext}); err != nil {
			return err
		}
	}
	s.compactNext = r.Header.Revision
	return nil
}
