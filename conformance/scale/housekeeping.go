package main

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"
)

// housekeepingClients is how many clients put at once, in the comparison of puts with and without housekeeping.
const housekeepingClients = 20

// compareHousekeeping puts with housekeeping under way all the time, and without, in turns.
func (s *store) compareHousekeeping(ctx context.Context, prefix string) error {
	b := s.bench
	keys, err := s.someKeys(ctx, prefix, fewKeys)
	if err != nil {
		return err
	}
	var quiet, busy []turn
	checkpoints := 0
	for range b.rounds {
		t, err := s.puts(ctx, housekeepingClients, b.duration, keys)
		if err != nil {
			return err
		}
		quiet = append(quiet, t)
		n := 0
		if t, n, err = s.putsAndHousekeeping(ctx, b.duration, keys); err != nil {
			return err
		}
		busy = append(busy, t)
		checkpoints += n
	}
	was, is := median(quiet, p99ms), median(busy, p99ms)
	b.table.judge("p99 of puts, 20 clients, while checkpoints are written all the time", "1.3x or less", is <= 1.3*was,
		"%.2fx: %.2f ms against %.2f ms; %.0f and %.0f puts/s; %d defragmentations", is/was, is, was,
		median(busy, turn.perSecond), median(quiet, turn.perSecond), checkpoints)
	return nil
}

// putsAndHousekeeping has zkine defragment from the first put to the last. It returns once the last one is over.
func (s *store) putsAndHousekeeping(ctx context.Context, d time.Duration, keys [][]byte) (t turn, n int, err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	done := make(chan struct{})
	group.Go(func() error {
		for {
			select {
			case <-done:
				return nil
			default:
			}
			if _, err := s.maintenance.Defragment(groupCtx, &pb.DefragmentRequest{}); err != nil {
				return err
			}
			n++
		}
	})
	t, err = s.puts(groupCtx, housekeepingClients, d, keys)
	close(done)
	if waited := group.Wait(); waited != nil {
		err = waited
	}
	return t, n, err
}
