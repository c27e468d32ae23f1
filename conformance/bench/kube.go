package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/zkine/zkine/conformance/bench/contender"
	"github.com/zkine/zkine/conformance/bench/replay"
	"github.com/zkine/zkine/conformance/rig"
)

const (
	// replayCommand makes this program replay a recording.
	replayCommand = "replay"
	// replayRounds is how often a recording is replayed at most: once takes two minutes.
	replayRounds = 2
	// beforeSpeed is how many times as fast as recorded the control plane starts, of which nothing is measured.
	beforeSpeed = 4
	// quickSpeed is the speed of what is measured, with -quick.
	quickSpeed = 6
)

// kubeTrio are the contenders of a control plane's load: as many members as a cluster has API servers, each of which asks
// the one beside it.
var kubeTrio = []string{"zkines3", "etcd3"}

// kubePhases are what a recorded control plane does: 500 pods on 100 nodes are deployed, replaced and deleted.
var kubePhases = []string{"deploy", "roll", "delete"}

// kubePoints are a point for each phase of a workload that is replayed.
func kubePoints(workload string) (all []point) {
	for _, phase := range kubePhases {
		all = append(all, point{
			workload: workload, phase: phase, data: few, only: kubeTrio, fresh: &fresh{warm: workload == kubeWarm},
		})
	}
	return all
}

// The workloads: with contenders that have been under load before, and with such as have just started.
const (
	kubeWarm = "kube"
	kubeCold = "kube-cold"
)

// takeReplay replays the recording on each contender in turn. All phases are made, and those recorded that are among the
// points.
func (b *bench) takeReplay(ctx context.Context, all []point, dir string) error {
	names := slices.DeleteFunc(slices.Clone(b.options.contenders), func(name string) bool { return !all[0].takes(name) })
	if len(names) == 0 {
		return nil
	}
	for round := range min(b.roundsOf(all[0]), replayRounds) {
		for _, name := range order(names, round) {
			result, err := b.replayTurn(ctx, all, name, dir)
			if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
				return fmt.Errorf("%s on %s: %w", all[0].workload, name, err)
			}
			for _, phase := range result.Phases {
				at := slices.IndexFunc(all, func(p point) bool { return p.phase == phase.Name })
				if at < 0 {
					continue
				}
				p, r := all[at], phase.Result
				if err := b.journal.add(record{Point: p.String(), Workload: p.workload, Contender: name, Round: round + 1, Result: r}); err != nil {
					return err
				}
				progress("%-20s %-9s %d requests in %.0f s, servers %.1f s, %d MiB; p50 of updates %.2f ms, of gets %.2f ms", p, name,
					r.Ops, r.Seconds, r.ServerCPU, r.Memory>>20, r.Latency.P50, r.Reads.P50)
			}
		}
	}
	return nil
}

// replayTurn starts a contender, replays the recording and stops it.
func (b *bench) replayTurn(ctx context.Context, all []point, name, dir string) (result replay.Result, err error) {
	stage := &contender.Stage{Programs: b.programs, Dir: dir}
	defer func() { err = errors.Join(err, stage.Stop(ctx)) }()
	c, err := stage.Start(ctx, name)
	if err != nil {
		return result, err
	}
	delete(b.filled, c.Name+few.prefix)
	if all[0].fresh.warm && b.warmed > 0 {
		if err := b.warmOne(ctx, c, few); err != nil {
			return result, err
		}
		if err := tidy(ctx, c); err != nil {
			return result, err
		}
	}
	// Until the last phase that is asked for.
	last := slices.Index(kubePhases, all[len(all)-1].phase)
	job := replay.Job{
		Before: beforeSpeed, Speed: 1, Phases: kubePhases[:last+1], Seed: uint64(rand.Uint32()), Servers: c.Pids(),
	}
	if b.quick {
		job.Speed = quickSpeed
	}
	if job.Endpoints, err = c.Endpoints(ctx); err != nil {
		return result, err
	}
	began := time.Now()
	if _, err := rig.Self(ctx, job, &result, replayCommand); err != nil {
		return result, fmt.Errorf("replay, after %v: %w", time.Since(began).Round(time.Second), err)
	}
	return result, nil
}
