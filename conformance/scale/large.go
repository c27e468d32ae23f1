package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/embedded"
)

const (
	// fewKeys is the store that the large one is compared with.
	fewKeys = 10_000
	// settle is how long a process has to give memory back after a load.
	settle = 10 * time.Second
)

// clientCounts are the numbers of clients that put at once.
var clientCounts = []int{1, 100}

// measureLarge loads very many keys and measures memory, counting, throughput beside a small store, and starts.
func measureLarge(ctx context.Context, z *embedded.Server, s *store) error {
	b := s.bench
	began := time.Now()
	raw, err := s.load(ctx, b.large, (*maker).kilobyte)
	if err != nil {
		return err
	}
	took := time.Since(began)
	c, err := takeCensus(ctx, z.Addr())
	if err != nil {
		return err
	}
	b.table.note(fmt.Sprintf("%d keys of 1 KiB loaded", b.large), "in %v; %v", took.Round(time.Second), c)
	if err := s.updates(ctx, "/registry/all/", b.large/perUpdate, (*maker).kilobyte); err != nil {
		return err
	}
	if err := s.judgePeak(ctx, fmt.Sprintf("%d keys of 1 KiB and %d updates", b.large, b.large/perUpdate), raw, mostPeak); err != nil {
		return err
	}
	if err := s.measureCount(ctx, b); err != nil {
		return err
	}
	if err := comparePuts(ctx, b, s); err != nil {
		return err
	}
	if err := s.measureMemory(ctx, raw, fmt.Sprintf("%d keys of 1 KiB, after more puts", b.large)); err != nil {
		return err
	}
	bar := 20 * time.Second
	if err := s.measureStarts(ctx, b.large, bar); err != nil {
		return err
	}
	if err := s.measureMemory(ctx, raw, fmt.Sprintf("%d keys of 1 KiB, after a start", b.large)); err != nil {
		return err
	}
	if c, err = takeCensus(ctx, z.Addr()); err != nil {
		return err
	}
	heap, err := heapInUse(ctx, z.Pid())
	if err != nil {
		return err
	}
	b.table.note("ZooKeeper with that", "%v, %.3fx of the raw bytes; %s of heap in use after GC", c, float64(c.bytes)/float64(raw), mib(heap))
	return nil
}

// measureCount counts all keys, many times.
func (s *store) measureCount(ctx context.Context, b *bench) error {
	const prefix = "/registry/all/"
	var here, current []time.Duration
	for i := range 400 {
		began := time.Now()
		r, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte(prefix), RangeEnd: prefixEnd(prefix), CountOnly: true, Serializable: i%2 == 0})
		if err != nil {
			return err
		}
		if r.Count != int64(b.large) {
			return fmt.Errorf("%d keys, %d were put", r.Count, b.large)
		}
		if i%2 == 0 {
			here = append(here, time.Since(began))
		} else {
			current = append(current, time.Since(began))
		}
	}
	p50, p99 := percentile(here, 50), percentile(here, 99)
	b.table.judge(fmt.Sprintf("count of a prefix with %d keys", b.large), "under 1 ms", p50 < time.Millisecond,
		"%v (p99 %v) with gRPC; linearizable, with a quorum write of ZooKeeper: %v", p50.Round(time.Microsecond), p99.Round(time.Microsecond), percentile(current, 50).Round(time.Microsecond))
	return nil
}

// comparePuts has the large store and a small one, each with a ZooKeeper of its own, take turns.
func comparePuts(ctx context.Context, b *bench, large *store) (err error) {
	z, err := b.startZooKeepers(ctx, "few", 1, smallHeap)
	if err != nil {
		return err
	}
	defer z.Kill()
	few, err := b.newStore(z.Addresses())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, few.stop(ctx)) }()
	if _, err := few.start(ctx); err != nil {
		return err
	}
	if _, err := few.load(ctx, fewKeys, (*maker).kilobyte); err != nil {
		return err
	}
	stores := []*store{large, few}
	var keys [2][][]byte
	for i, s := range stores {
		if keys[i], err = s.someKeys(ctx, "/registry/all/", fewKeys); err != nil {
			return err
		}
	}
	for _, clients := range clientCounts {
		var turns [2][]turn
		for round := range b.rounds {
			for n := range stores {
				i := (round + n) % 2 // neither is always first
				t, err := stores[i].puts(ctx, clients, b.duration, keys[i])
				if err != nil {
					return err
				}
				turns[i] = append(turns[i], t)
			}
		}
		rate := [2]float64{median(turns[0], turn.perSecond), median(turns[1], turn.perSecond)}
		tail := [2]float64{median(turns[0], p99ms), median(turns[1], p99ms)}
		b.table.judge(fmt.Sprintf("puts/s, %d clients, %d keys against %d", clients, b.large, fewKeys), "0.9x or more", rate[0] >= 0.9*rate[1],
			"%.2fx: %.0f and %.0f", rate[0]/rate[1], rate[0], rate[1])
		b.table.judge(fmt.Sprintf("p99 of those, %d clients", clients), "1.2x or less", tail[0] <= 1.2*tail[1],
			"%.2fx: %.2f and %.2f ms", tail[0]/tail[1], tail[0], tail[1])
	}
	return nil
}
