package simulation

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/zklog"
)

const (
	// longest is how long clients may take for all they do, and soon how long
	// something may take that must happen once everything is well; in the
	// world's time.
	longest = 30 * time.Minute
	soon    = 2 * time.Minute
)

// run lives through one world and returns it.
func run(t *testing.T, seed uint64, tracing bool) (w *world) {
	synctest.Test(t, func(*testing.T) {
		w = newWorld(seed, tracing)
		w.live()
		w.stop()
	})
	return w
}

func (w *world) live() {
	for _, z := range w.zkines {
		w.start(z)
	}
	w.populate()
	w.expectDisaster()
	w.expectLag()
	w.expectRaises()
	if w.profile.end == loseTail {
		w.keepBackups()
	}
	writers := int64(w.profile.writers + w.profile.leases.readers)
	crowd := writers + int64(w.profile.watchers+w.profile.tenants)
	if !w.schedule(longest, func() bool { return w.clients.Load() <= crowd-writers }) {
		w.fail("writers do not come to an end")
		return
	}
	if w.profile.end == loseTail {
		w.endInLoss()
		return
	}
	w.heal()
	if w.profile.end == corrupted {
		w.endInCorruption()
	}
	w.settle()
}

// populate lets people in.
func (w *world) populate() {
	p := w.profile
	w.clients.Add(int64(p.writers + p.leases.readers + p.watchers + p.tenants))
	for i := range p.writers {
		go w.person(fmt.Sprint("w", i), i).writer()
	}
	for i := range p.leases.readers {
		go w.person(fmt.Sprint("r", i), 400+i).reader(w.zkines[i%len(w.zkines)])
	}
	for i := range p.watchers {
		key := ""
		if i > 0 {
			key = keys[0]
		}
		go w.person(fmt.Sprint("e", i), 100+i).watcher(key)
	}
	for i := range p.tenants {
		go w.person(fmt.Sprint("t", i), 200+i).tenant()
	}
}

// settle ends a world in which all is well: everything must come to its end,
// and be as it should.
func (w *world) settle() {
	if !w.schedule(soon, w.allServe) {
		w.fail("not all zkines serve again")
		return
	}
	if !w.schedule(soon, w.operatorsDone) {
		w.fail("an operator does not come to an end")
		return
	}
	w.finish("last words", func(p *person) {
		for range w.zkines {
			for _, key := range keys {
				p.perform(&op{kind: opPut, key: key, value: fmt.Sprint("end/", len(w.history.ops))})
			}
			p.perform(&op{kind: opGet, key: keys[0]})
		}
		w.ending.Store(true)
	})
	if !w.schedule(soon, func() bool { return w.clients.Load() == 0 }) {
		w.fail("watchers or tenants do not come to an end")
		return
	}
	w.finish("leases end", func(p *person) {
		for {
			_, b := p.reach()
			ctx, cancel := context.WithTimeout(context.Background(), soon)
			r, err := b.LeaseLeases(ctx, &pb.LeaseLeasesRequest{})
			cancel()
			if err == nil && len(r.Leases) == 0 {
				return
			}
			p.rest(2 * time.Second)
		}
	})
	if !w.failed() {
		w.judge()
	}
}

// finish has someone do something that must come to its end.
func (w *world) finish(what string, do func(p *person)) {
	done := make(chan struct{})
	p := w.person(what, 300)
	go func() {
		defer w.poke()
		defer close(done)
		do(p)
	}()
	if !w.schedule(soon, func() bool { return isClosed(done) }) {
		w.fail("no end to: %s", what)
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func (w *world) allServe() bool {
	for _, z := range w.zkines {
		if z.serving() == nil {
			return false
		}
	}
	return true
}

// judge compares all that was seen with the log, and looks into the root.
func (w *world) judge() {
	r := w.truth.replay()
	h := &w.history
	for _, check := range []func(*replayed, *history) []string{checkRevisions, checkAppends, checkWrites, checkReads, checkWatches, checkLeases, checkService, checkRaises} {
		for _, wrong := range check(r, h) {
			w.fail("%s", wrong)
		}
	}
	v, err := zklog.Verify(context.Background(), zklog.Config{Dialer: w.e, Root: "/zkine"})
	if err != nil {
		w.fail("verify: %v", err)
		return
	}
	for _, f := range v.Findings {
		w.fail("verify: %s: %v", f.Path, f.Err)
	}
}

// stop ends all that lives: nothing may be left over.
func (w *world) stop() {
	w.ending.Store(true)
	w.steady.Store(true)
	w.calm = true
	for _, z := range w.zkines {
		w.thaw(z)
	}
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	for _, l := range w.lives {
		l.cancel()
	}
	all := func() bool {
		if w.clients.Load() > 0 {
			return false
		}
		for _, l := range w.lives {
			if !isClosed(l.ended) {
				return false
			}
		}
		return true
	}
	w.age = w.now()
	if !w.schedule(soon, all) {
		w.fail("something goes on after Close")
	}
}
