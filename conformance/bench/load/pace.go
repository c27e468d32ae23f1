package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// pace has every client work for the warm-up, lets all come to rest, and then does the same with the clock running.
func pace(ctx context.Context, job Job, p plan) (Result, error) {
	if _, err := shift(ctx, job, p, job.Warmup); err != nil {
		return Result{}, err
	}
	before, err := Burned(job.Servers)
	if err != nil {
		return Result{}, err
	}
	began := time.Now()
	tallies, err := shift(ctx, job, p, job.Duration)
	if err != nil {
		return Result{}, err
	}
	r := Result{Seconds: time.Since(began).Seconds()}
	after, err := Burned(job.Servers)
	if err != nil {
		return Result{}, err
	}
	r.ServerCPU, r.ClientCPU = after.Servers-before.Servers, after.Self-before.Self
	r.OthersCPU = max(0, after.Whole-before.Whole-r.ServerCPU-r.ClientCPU)
	var latency histogram
	for i := range tallies {
		t := &tallies[i]
		r.Ops, r.Items, r.Bytes = r.Ops+t.ops, r.Items+t.items, r.Bytes+t.bytes
		latency.add(&t.latency)
	}
	r.Latency = latency.summary()
	return r, nil
}

// Usage is processor time in seconds: of the servers, of this process, and of the whole machine.
type Usage struct{ Servers, Self, Whole float64 }

// Burned is what was burned so far.
func Burned(servers []int) (c Usage, err error) {
	if c.Servers, err = CPU(servers); err != nil {
		return c, err
	}
	if c.Whole, err = wholeCPU(); err != nil {
		return c, err
	}
	c.Self, err = ownCPU()
	return c, err
}

// shift has every client work for so long, and returns when all is done.
func shift(ctx context.Context, job Job, p plan, d time.Duration) ([]tally, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tallies := make([]tally, job.Clients)
	end := time.Now().Add(d)
	var all sync.WaitGroup
	for i := range job.Clients {
		all.Go(func() {
			w := worker{job: job, plan: p, client: i, end: end, tally: &tallies[i]}
			if err := w.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return tallies, context.Cause(ctx)
	}
	return tallies, p.rest(ctx)
}

// worker is one client during a shift.
type worker struct {
	job    Job
	plan   plan
	client int
	end    time.Time
	tally  *tally
}

func (w *worker) work(ctx context.Context) error {
	if w.job.Rate > 0 {
		return w.scheduled(ctx)
	}
	for now := time.Now(); now.Before(w.end) && (w.job.Ops == 0 || w.tally.ops < w.job.Ops); {
		if err := w.plan.op(ctx, w.client, w.tally); err != nil {
			return err
		}
		then := time.Now()
		w.tally.ops++
		w.tally.latency.record(then.Sub(now))
		now = then
	}
	return nil
}

// scheduled does each operation when it is due, or at once if that has passed, and counts its latency from when it
// was due: a server that stalls is charged with all that waits meanwhile.
func (w *worker) scheduled(ctx context.Context) error {
	every := time.Duration(float64(w.job.Clients) / w.job.Rate * float64(time.Second))
	due := time.Now().Add(rand.N(every))
	for ; due.Before(w.end); due = due.Add(every) {
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if err := w.plan.op(ctx, w.client, w.tally); err != nil {
			return err
		}
		w.tally.ops++
		w.tally.latency.record(time.Since(due))
	}
	return nil
}
