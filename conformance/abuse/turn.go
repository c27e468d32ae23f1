package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zkine/zkine/conformance/abuse/load"
	"github.com/zkine/zkine/conformance/rig"
)

// result is how a server took a load.
type result struct {
	calm, during  latency
	lost          int // puts under load without an event
	before, most  usage
	heapBefore    int64 // bytes alive
	heapUnder     int64 // near the end of the load; 0 if it is not known
	heapAfter     int64
	probes        probes
	back          time.Duration // until all was as before; backLimit if it was not
	backWhy       string        // what was not
	did           map[string]int64
	died          error
	cpuOfOthers   float64 // cores, during the load
	logged, grown int64   // bytes
}

const (
	// backLimit bounds how long a server may take to be as before.
	backLimit = 15 * time.Second
	// heapLead is how long before the end of a load the heap is looked at.
	heapLead = 3 * time.Second
	// loadGrace is what a load may take to end.
	loadGrace = 20 * time.Second
)

// turn is a server's: it is started, watched in calm, put under load, watched until it is as before, and stopped.
func (s *stage) turn(ctx context.Context, kind string, r row, o options) (res result, err error) {
	u, err := s.start(ctx, kind, r)
	if err != nil {
		return res, err
	}
	defer func() {
		if e := u.stop(ctx); e != nil && res.died == nil {
			res.died = e
		}
	}()
	job := load.Job{Abuse: r.name, Client: u.client, TLS: u.tls, Metrics: u.metrics, Seed: o.seed, Duration: o.duration(r)}
	if job.Revision, err = fill(ctx, u, r.data); err != nil {
		return res, fmt.Errorf("fill: %w", err)
	}
	token := ""
	if r.auth {
		if token, err = enableAuth(ctx, u); err != nil {
			return res, fmt.Errorf("enable auth: %w", err)
		}
	}
	clientCtx, stopClient := context.WithCancel(ctx)
	defer stopClient()
	c, err := startClient(clientCtx, u.client, token)
	if err != nil {
		return res, err
	}
	defer func() { stopClient(); c.wait() }()
	w := newWatcher(u)
	if err := sleep(ctx, o.warmup); err != nil {
		return res, err
	}
	if res.heapBefore, err = w.heap(ctx); err != nil {
		return res, err
	}
	calmFrom := time.Now()
	if err := sleep(ctx, o.calm); err != nil {
		return res, err
	}
	c.finish(ctx, calmFrom, time.Now())
	from := time.Now()
	res.calm = c.between(calmFrom, from)
	if err := res.underLoad(ctx, w, job, token); err != nil {
		return res, err
	}
	to := time.Now()
	res.await(ctx, w, c, o.slack)
	res.lost = c.finish(ctx, from, to)
	res.during = c.between(from, to)
	res.awaitHeap(ctx, w, to)
	return res, ctx.Err()
}

// awaitHeap waits until the heap is nearly as before, for as long as the server may take for everything.
func (res *result) awaitHeap(ctx context.Context, w *watcher, ended time.Time) {
	for res.died == nil {
		alive, err := w.heap(ctx)
		if err == nil {
			res.heapAfter = alive
		}
		if res.kept() <= mostKept && err == nil || time.Since(ended) > backLimit || sleep(ctx, samplePeriod) != nil {
			return
		}
	}
}

// underLoad makes the load and looks at the server meanwhile.
func (res *result) underLoad(ctx context.Context, w *watcher, job load.Job, token string) (err error) {
	if err := w.subject.resetPeak(); err != nil {
		return err
	}
	if res.before, err = w.subject.look(); err != nil {
		return err
	}
	if res.before.goroutines, err = w.goroutines(ctx); err != nil {
		return err
	}
	looking, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	var sampled error
	all.Go(func() { res.most, sampled = w.sample(looking) })
	all.Go(func() {
		if sleep(looking, probePeriod) == nil { // the load has begun by then
			res.probes = probe(ctx, looking.Done(), w.subject, token)
		}
	})
	all.Go(func() {
		if sleep(looking, job.Duration-heapLead) == nil {
			res.heapUnder, _ = w.heap(looking) // it may have no descriptor for the question
		}
	})
	others := othersCPU(w.subject.Pid())
	did, cpu, err := spawn(ctx, job)
	stop()
	all.Wait()
	res.cpuOfOthers = others(cpu)
	res.did = did
	res.died = w.subject.Ended()
	if res.died != nil {
		return nil
	}
	res.grown, res.logged = res.most.resident-res.before.resident, res.most.log-res.before.log
	return errors.Join(err, sampled)
}

// spawn makes the load in a process of its own, and returns its counts and the seconds that it computed.
func spawn(ctx context.Context, job load.Job) (did map[string]int64, cpu float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, job.Duration+loadGrace)
	defer cancel()
	if cpu, err = rig.Self(ctx, job, &did, loadCommand); err != nil {
		return nil, cpu, fmt.Errorf("load %s: %w", job.Abuse, err)
	}
	return did, cpu, nil
}

const (
	// moreDescriptors and moreGoroutines are what a server may keep of a load for a while: connections of clients that
	// are gone, workers that wait for more.
	moreDescriptors = 20
	moreGoroutines  = 100
	// settled is the part of a second that the client is looked at.
	settled = time.Second
)

// await waits until descriptors, goroutines and the client's latency are as before.
func (res *result) await(ctx context.Context, w *watcher, c *client, slack time.Duration) {
	ended := time.Now()
	for ctx.Err() == nil {
		last := c.between(time.Now().Add(-settled-settled/4), time.Now().Add(-settled/4))
		if res.backWhy = res.unsettled(ctx, w, last); res.backWhy == "" && last.p99 > max(slower*res.calm.p99, res.calm.p99+slack) {
			res.backWhy = fmt.Sprintf("p99 %v", last.p99)
		}
		res.back = time.Since(ended)
		if res.backWhy == "" || res.back > backLimit {
			return
		}
		if w.subject.Ended() != nil {
			res.died = w.subject.Ended()
			return
		}
		if sleep(ctx, samplePeriod/2) != nil {
			return
		}
	}
}

// unsettled says what is not as before.
func (res *result) unsettled(ctx context.Context, w *watcher, l latency) string {
	now, err := w.subject.look()
	if err != nil {
		return err.Error()
	}
	if now.goroutines, err = w.goroutines(ctx); err != nil {
		return err.Error()
	}
	switch {
	case now.descriptors > res.before.descriptors+moreDescriptors:
		return fmt.Sprintf("%d descriptors, %d before", now.descriptors, res.before.descriptors)
	case now.goroutines > res.before.goroutines+moreGoroutines:
		return fmt.Sprintf("%d goroutines, %d before", now.goroutines, res.before.goroutines)
	case l.failed > 0:
		return fmt.Sprintf("calls of the client fail: %v", l.why)
	case l.calls < int(settled/clientPeriod):
		return "calls of the client are not answered"
	}
	return ""
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
