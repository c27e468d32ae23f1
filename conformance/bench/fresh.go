package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/zkine/zkine/conformance/bench/contender"
	"github.com/zkine/zkine/conformance/bench/load"
)

const (
	// coldTurn is how long what has just started is looked at. A JVM compiles for longer than that.
	coldTurn = 10 * time.Second
	// memoryTurn is how long the load is before memory is read.
	memoryTurn = 30 * time.Second
	// quickTurn is the longest such turn with -quick.
	quickTurn = 3 * time.Second
)

// fresh is how a point is measured on contenders that have just started.
type fresh struct {
	warm   bool          // a load that does not count comes before
	length time.Duration // at most
	ops    int64         // that each client does at most; 0 is as many as it can
	beside bool          // other work has all processors busy meanwhile
}

// split sorts points out that start their contenders anew.
func split(all []point) (standing, started []point) {
	for _, p := range all {
		if p.fresh != nil {
			started = append(started, p)
		} else {
			standing = append(standing, p)
		}
	}
	return standing, started
}

// takeFresh measures a point whose contenders start for each turn in a folder that is removed after it.
func (b *bench) takeFresh(ctx context.Context, p point, dir string) error {
	names := slices.DeleteFunc(slices.Clone(b.options.contenders), func(name string) bool { return !p.takes(name) })
	if len(names) == 0 {
		return nil
	}
	for round := range b.roundsOf(p) {
		for _, name := range order(names, round) {
			result, err := b.freshTurn(ctx, p, name, dir)
			if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
				return fmt.Errorf("%s on %s: %w", p, name, err)
			}
			err = b.journal.add(record{
				Point: p.String(), Workload: p.workload, Clients: p.clients, Contender: name, Round: round + 1, Result: result,
			})
			if err != nil {
				return err
			}
			progress("%-20s %-9s %10.0f/s  p50 %.2f ms  servers %.0f µs each, %d then %d MiB", p, name,
				float64(result.Ops)/result.Seconds, result.Latency.P50, result.ServerCPU*1e6/float64(result.Ops),
				result.MemoryBefore>>20, result.Memory>>20)
		}
	}
	return nil
}

// freshTurn starts a contender, measures it and stops it.
func (b *bench) freshTurn(ctx context.Context, p point, name, dir string) (result load.Result, err error) {
	stage := &contender.Stage{Programs: b.programs, Dir: dir}
	defer func() { err = errors.Join(err, stage.Stop(ctx)) }()
	c, err := stage.Start(ctx, name)
	if err != nil {
		return result, err
	}
	before, err := load.Resident(c.Pids())
	if err != nil {
		return result, err
	}
	delete(b.filled, c.Name+p.data.prefix)
	if err := b.fill(ctx, c, p.data); err != nil {
		return result, err
	}
	if p.fresh.beside {
		burner, err := startBurner()
		if err != nil {
			return result, err
		}
		defer burner.Kill()
	}
	job := b.job(c, p.planName(), p.data)
	job.Clients, job.Ops, job.Duration = p.clients, p.fresh.ops, p.fresh.length
	if b.quick && job.Ops == 0 {
		job.Duration = min(job.Duration, quickTurn)
	}
	result, err = run(ctx, c, job)
	result.MemoryBefore = before
	return result, err
}
