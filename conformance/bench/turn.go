package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/zkine/zkine/conformance/bench/contender"
	"github.com/zkine/zkine/conformance/bench/load"
	"github.com/zkine/zkine/conformance/rig"
)

// bench is a run: contenders that are up, and what was measured on them.
type bench struct {
	options
	programs   contender.Programs
	journal    *journal
	contenders []*contender.Contender
	filled     map[string]bool // contender and prefix
}

// connections is the most that the load opens: as many as a kube-apiserver has, about one for each resource.
const connections = 100

// take measures a point on everyone that it is for.
func (b *bench) take(ctx context.Context, p point) error {
	var on []*contender.Contender
	for _, c := range b.contenders {
		if p.takes(c.Name) {
			on = append(on, c)
		}
	}
	for _, c := range on {
		if err := b.fill(ctx, c, p.data); err != nil {
			return err
		}
	}
	rates, err := b.halves(ctx, p, on)
	if err != nil {
		return err
	}
	for round := range b.roundsOf(p) {
		if err := b.startAgain(ctx, on); err != nil {
			return err
		}
		for _, c := range order(on, round) {
			result, err := b.quietTurn(ctx, c, p, rates[c.Name])
			if err != nil {
				return err
			}
			err = b.journal.add(record{
				Point: p.String(), Workload: p.workload, Clients: p.clients, Watchers: p.watchers,
				Contender: c.Name, Round: round + 1, Rate: rates[c.Name], Result: result,
			})
			if err != nil {
				return err
			}
			progress("%-20s %-9s %10.0f/s  p50 %.2f ms  p99 %.2f ms  servers %.2f cores, client %.2f", p, c.Name,
				float64(result.Ops)/result.Seconds, result.Latency.P50, result.Latency.P99,
				result.ServerCPU/result.Seconds, result.ClientCPU/result.Seconds)
		}
	}
	for _, c := range on {
		if err := tidy(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

// order is the contenders' order in a round: no one is always first, nor always after the same one.
func order[T any](on []T, round int) []T {
	first := round % len(on)
	turns := slices.Concat(on[first:], on[:first])
	if round%2 == 1 {
		slices.Reverse(turns)
	}
	return turns
}

// halves finds the rates of the schedules, by contender: half of what is taken flat out, measured now, by the etcd
// with as many servers, or by the contender itself. Without an etcd among the contenders all have their own half; a
// zkine has that of the one before, if there is one.
func (b *bench) halves(ctx context.Context, p point, on []*contender.Contender) (map[string]float64, error) {
	rates := make(map[string]float64)
	if p.half == flatOut {
		return rates, nil
	}
	for _, c := range on {
		result, err := b.turn(ctx, c, p, 0, b.seconds)
		if err != nil {
			return nil, err
		}
		rates[c.Name] = float64(result.Ops) / result.Seconds / 2
		progress("%-20s %-9s half is %.0f/s", p, c.Name, rates[c.Name])
	}
	for name := range rates {
		servers := name[len(name)-1:]
		etcd, asked := rates["etcd"+servers]
		before, compared := rates[beforeOf("zkine"+servers)]
		switch {
		case asked && p.half == ofEtcd:
			rates[name] = etcd
		case compared && contender.KindOf(name) == contender.Zkine:
			rates[name] = before // latencies of two zkines can be compared under the same load
		}
	}
	return rates, nil
}

// quietTurn takes the turn again when others disturbed it, and returns the least disturbed.
func (b *bench) quietTurn(ctx context.Context, c *contender.Contender, p point, rate float64) (best load.Result, err error) {
	const tries = 3
	for try := range tries {
		r, err := b.turn(ctx, c, p, rate, b.seconds)
		if err != nil {
			return best, err
		}
		if try == 0 || r.OthersCPU/r.Seconds < best.OthersCPU/best.Seconds {
			best = r
		}
		if best.OthersCPU/best.Seconds <= b.others {
			break
		}
		progress("%-20s %-9s disturbed: others burned %.2f cores", p, c.Name, r.OthersCPU/r.Seconds)
	}
	return best, nil
}

// turn is a contender's.
func (b *bench) turn(ctx context.Context, c *contender.Contender, p point, rate float64, seconds time.Duration) (load.Result, error) {
	if _, ok := toolArgs[p.planName()]; ok {
		return b.toolTurn(ctx, c, p)
	}
	job := b.job(c, p.planName(), p.data)
	job.Clients, job.Watchers, job.Rate, job.Duration, job.Warmup = p.clients, p.watchers, rate, seconds, b.warmup
	return run(ctx, c, job)
}

func (b *bench) job(c *contender.Contender, plan string, data dataSet) load.Job {
	job := load.Job{
		Workload: plan, Connections: connections, Value: b.value, Prefix: data.prefix, Keys: data.keys,
		Seed: uint64(rand.Uint32()), Servers: c.Pids(),
	}
	switch c.Kind {
	case contender.Kine:
		job.Dialect = load.Kine
	case contender.Bare:
		job.Dialect = load.Bare
	}
	return job
}

// fillClients write data sets; some transactions of theirs are large.
const fillClients = 8

// fill makes a data set the first time that it is needed.
func (b *bench) fill(ctx context.Context, c *contender.Contender, data dataSet) error {
	if data.keys == 0 || c.Kind == contender.Bare || b.filled[c.Name+data.prefix] {
		return nil
	}
	job := b.job(c, "fill", data)
	if job.Clients = fillClients; c.Kind == contender.Kine {
		job.Clients = connections
	}
	if _, err := run(ctx, c, job); err != nil {
		return err
	}
	b.filled[c.Name+data.prefix] = true
	return nil
}

// loadCommand makes this program the load generator.
const loadCommand = "load"

// run runs a job on a contender.
func run(ctx context.Context, c *contender.Contender, job load.Job) (result load.Result, err error) {
	if job.Endpoint, err = c.Endpoint(ctx); err != nil {
		return result, err
	}
	return spawn(ctx, c.Name, job)
}

// spawn runs a job in a process of its own.
func spawn(ctx context.Context, name string, job load.Job) (result load.Result, err error) {
	if _, err := rig.Self(ctx, job, &result, loadCommand); err != nil {
		return result, fmt.Errorf("load on %s: %w", name, err)
	}
	return result, nil
}
