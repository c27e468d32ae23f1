package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// measureStarts prints how long it takes from the start of a process to its first linearizable answer: with no data
// yet, with o.writes in the store, and, for a zkine, in the same case but with the ZooKeeper already running.
func measureStarts(ctx context.Context, o options, p programs, dir string, out io.Writer) error {
	var empty, full [2][]time.Duration // zkine, etcd
	var joined []time.Duration
	for round := range o.rounds {
		at := filepath.Join(dir, fmt.Sprint(round))
		z, err := p.zkineStore("zkine", filepath.Join(at, "zkine"), "")
		if err != nil {
			return err
		}
		e, err := p.etcdStore(filepath.Join(at, "etcd"))
		if err != nil {
			return err
		}
		for i, s := range []*store{z, e} {
			first, again, err := s.startTwice(ctx, o)
			if err != nil {
				return errors.Join(err, s.stop(ctx))
			}
			empty[i], full[i] = append(empty[i], first), append(full[i], again)
			if s == z {
				took, err := p.join(ctx, z, filepath.Join(at, "second"))
				if err != nil {
					return errors.Join(err, s.stop(ctx))
				}
				joined = append(joined, took)
			}
			if err := s.stop(ctx); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(out, "\n| process start to first linearizable read, median of %d | zkine | etcd |\n|---|---|---|\n", o.rounds)
	fmt.Fprintf(out, "| empty, zkine with its JVM | %v | %v |\n", median(empty[0]), median(empty[1]))
	fmt.Fprintf(out, "| %d writes, zkine with its JVM | %v | %v |\n", o.writes, median(full[0]), median(full[1]))
	_, err := fmt.Fprintf(out, "| %d writes, a zkine on a ZooKeeper that runs | %v | |\n", o.writes, median(joined))
	return err
}

func median(times []time.Duration) time.Duration { return round(percentile(times, 50)) }

// startTwice starts a store without data, writes, stops it in peace, starts it again and leaves it running.
func (s *store) startTwice(ctx context.Context, o options) (first, again time.Duration, err error) {
	if first, err = s.start(ctx); err != nil {
		return 0, 0, err
	}
	if err := fill(ctx, s.endpoint, o); err != nil {
		return 0, 0, err
	}
	if err := s.stop(ctx); err != nil {
		return 0, 0, err
	}
	again, err = s.start(ctx)
	return first, again, err
}

// join starts a second zkine on the first one's ZooKeeper and stops it.
func (p programs) join(ctx context.Context, first *store, dir string) (time.Duration, error) {
	zookeeper, err := first.zookeeper(ctx)
	if err != nil {
		return 0, err
	}
	second, err := p.zkineStore("second zkine", dir, zookeeper)
	if err != nil {
		return 0, err
	}
	took, err := second.start(ctx)
	return took, errors.Join(err, second.stop(ctx))
}
