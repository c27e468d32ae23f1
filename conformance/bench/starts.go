package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/zkine/zkine/conformance/bench/contender"
	"github.com/zkine/zkine/conformance/bench/load"
)

// What is measured of starts: from the start of a process to its first linearizable answer.
const (
	startEmpty  = "start/empty"
	startFilled = "start/filled"
	startJoin   = "start/join"
)

// startKeys are in a store that is started again, each written by itself.
var startKeys = dataSet{"/registry/started/", 10_000}

// starter takes start times of stores that exist for nothing else.
type starter struct {
	programs contender.Programs
	journal  *journal
	options  options
}

func (s *starter) take(ctx context.Context, dir string) error {
	for round := range s.options.roundsOf(point{workload: startFilled}) {
		at := filepath.Join(dir, fmt.Sprint(round))
		for name, program := range map[string]string{"zkine1": s.programs.Zkine, beforeOf("zkine1"): s.programs.Before} {
			if !slices.Contains(s.options.contenders, name) {
				continue
			}
			z, err := s.programs.LoneZkine(program, filepath.Join(at, name), "")
			if err != nil {
				return err
			}
			again := func() error { return s.join(ctx, name, program, z, filepath.Join(at, name+"-second"), round) }
			if err := s.twice(ctx, name, z, round, again); err != nil {
				return err
			}
		}
		if slices.Contains(s.options.contenders, "etcd1") {
			e, err := s.programs.LoneEtcd(filepath.Join(at, "etcd"))
			if err != nil {
				return err
			}
			if err := s.twice(ctx, "etcd1", e, round, func() error { return nil }); err != nil {
				return err
			}
		}
	}
	return nil
}

// twice starts a store without data, fills it, stops it in peace and starts it again, for further measurements.
func (s *starter) twice(ctx context.Context, name string, l *contender.Lone, round int, further func() error) (err error) {
	defer func() { err = errors.Join(err, l.Stop(ctx)) }()
	took, err := l.Up(ctx)
	if err != nil {
		return err
	}
	if err := s.note(startEmpty, name, round, took); err != nil {
		return err
	}
	// kine's dialect has a transaction for each key.
	job := load.Job{
		Workload: "fill", Endpoint: l.Endpoint, Dialect: load.Kine, Clients: connections, Connections: connections,
		Value: s.options.value, Prefix: startKeys.prefix, Keys: startKeys.keys,
	}
	if _, err := spawn(ctx, name, job); err != nil {
		return err
	}
	if err := l.Stop(ctx); err != nil {
		return err
	}
	if took, err = l.Up(ctx); err != nil {
		return err
	}
	if err := s.note(startFilled, name, round, took); err != nil {
		return err
	}
	return further()
}

// join starts a second zkine on the first one's ZooKeeper and stops it.
func (s *starter) join(ctx context.Context, name, program string, first *contender.Lone, dir string, round int) error {
	zooKeeper, err := first.ZooKeeper(ctx)
	if err != nil {
		return err
	}
	second, err := s.programs.LoneZkine(program, dir, zooKeeper)
	if err != nil {
		return err
	}
	took, err := second.Up(ctx)
	if err := errors.Join(err, second.Stop(ctx)); err != nil {
		return err
	}
	return s.note(startJoin, name, round, took)
}

func (s *starter) note(point, name string, round int, took time.Duration) error {
	progress("%-20s %-9s %v", point, name, took)
	return s.journal.add(record{Point: point, Contender: name, Round: round + 1, Result: load.Result{Seconds: took.Seconds()}})
}
