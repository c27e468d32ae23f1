package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// censusEvery is after how many steps ZooKeeper's content is counted: often enough to see the peaks between which it
// goes up and down, as checkpoints come and the log before them goes.
const censusEvery = 3

// measureSteady makes the writes of a cluster's day, as fast as they go, and looks whether what ZooKeeper holds grows.
func measureSteady(ctx context.Context, z *embedded.Server, s *store) error {
	b := s.bench
	began := time.Now()
	var samples []census
	for step := range b.hours * 3600 / statusEvery {
		if err := s.step(ctx, step); err != nil {
			return err
		}
		if (step+1)%censusEvery == 0 {
			c, err := takeCensus(ctx, z.Addr())
			if err != nil {
				return err
			}
			samples = append(samples, c)
		}
	}
	took := time.Since(began)
	// The first quarter fills up.
	quarter := len(samples) / 4
	if quarter == 0 {
		return errors.New("-hours is too small to tell anything")
	}
	early, late := peak(samples[quarter:2*quarter]), peak(samples[3*quarter:])
	bytes, znodes := float64(late.bytes)/float64(early.bytes), float64(late.znodes)/float64(early.znodes)
	var hours []string
	for hour := range slices.Chunk(samples, 3600/statusEvery/censusEvery) {
		hours = append(hours, mib(peak(hour).bytes))
	}
	writes := b.hours*3600*nodes/leaseEvery + b.hours*3600/statusEvery*(nodes+eventsEvery)
	b.table.judge(fmt.Sprintf("steady state, %d h of a 1,000-node cluster's writes (%d)", b.hours, writes), "flat", max(bytes, znodes) < 1.15,
		"peaks of the last quarter against those of the second: %.2fx the bytes, %.2fx the znodes (%d, %d before), in %v; the peak of each hour: %s",
		bytes, znodes, late.znodes, early.znodes, took.Round(time.Second), strings.Join(hours, ", "))
	return nil
}

// peak has the most bytes and the most znodes among the samples.
func peak(samples []census) (most census) {
	for _, c := range samples {
		most.bytes, most.znodes = max(most.bytes, c.bytes), max(most.znodes, c.znodes)
	}
	return most
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
