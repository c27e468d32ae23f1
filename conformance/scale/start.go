package main

import (
	"context"
	"fmt"
	"time"

	"github.com/zkine/zkine/revision/embedded"
)

// starts is how often a start is measured; the median counts.
const starts = 3

// measureStart measures the start of a zkine on a ZooKeeper that holds some keys.
func measureStart(ctx context.Context, _ *embedded.Server, s *store) error {
	if _, err := s.load(ctx, s.bench.small, (*maker).kilobyte); err != nil {
		return err
	}
	return s.measureStarts(ctx, s.bench.small, 2*time.Second)
}

// measureStarts restarts zkine some times: first as a load left it, with what was not checkpointed yet still in the
// log, then after a defragmentation.
func (s *store) measureStarts(ctx context.Context, keys int, bar time.Duration) error {
	restart := func() (time.Duration, error) {
		var times []time.Duration
		for range starts {
			if err := s.stop(ctx); err != nil {
				return 0, err
			}
			took, err := s.start(ctx)
			if err != nil {
				return 0, err
			}
			times = append(times, took)
		}
		return percentile(times, 50), nil
	}
	fresh, err := restart()
	if err != nil {
		return err
	}
	if err := s.tidy(ctx); err != nil {
		return err
	}
	tidy, err := restart()
	if err != nil {
		return err
	}
	s.bench.table.judge(fmt.Sprintf("start of a zkine, %d keys of 1 KiB", keys), bar.String()+" or less", max(fresh, tidy) <= bar,
		"%.2f s right after the load, %.2f s after a defragmentation", fresh.Seconds(), tidy.Seconds())
	return nil
}
