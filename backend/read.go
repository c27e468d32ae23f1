package backend

import (
	"context"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
)

// reads makes reads linearizable. A read joins the group that forms; a group
// is released once the state has reached a place that a barrier, or an append
// sent after the last of the group arrived, has shown to be current. One
// barrier serves its whole group, and while it is under way the next group
// forms.
type reads struct {
	log      Log
	progress *progress
	// quorumWrite hears of each barrier that succeeded.
	quorumWrite func(time.Time)

	mu      sync.Mutex
	forming *readGroup
	closed  error
	wake    chan struct{}
}

// readGroup is reads that are released together.
type readGroup struct {
	done chan struct{}
	err  error // valid once done is closed
}

func newReads(log Log, p *progress, quorumWrite func(time.Time)) *reads {
	return &reads{log: log, progress: p, quorumWrite: quorumWrite, wake: make(chan struct{}, 1)}
}

// wait returns once the published view shows every write that was
// acknowledged, by any zkine, before the call.
func (r *reads) wait(ctx context.Context) error {
	group, err := r.join()
	if err != nil {
		return err
	}
	select {
	case <-group.done:
		return group.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *reads) join() (*readGroup, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		return nil, r.closed
	}
	if r.forming == nil {
		r.forming = &readGroup{done: make(chan struct{})}
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	return r.forming, nil
}

// ride takes the group that forms along on an append that is about to be
// sent; nil if there is none.
func (r *reads) ride() *readGroup {
	r.mu.Lock()
	defer r.mu.Unlock()
	group := r.forming
	r.forming = nil
	return group
}

// again sends a group that rode in vain through a barrier of its own.
func (r *reads) again(group *readGroup) {
	if group == nil {
		return
	}
	next, err := r.join()
	if err != nil {
		r.release(group, err)
		return
	}
	go func() {
		<-next.done
		r.release(group, next.err)
	}()
}

// resolved releases a group once the state has reached seq.
func (r *reads) resolved(group *readGroup, seq revision.Seq) {
	if group != nil {
		r.progress.when(seq, func(err error) { r.release(group, err) })
	}
}

func (r *reads) release(group *readGroup, err error) {
	group.err = err
	close(group.done)
}

// loop sends barriers while reads wait, one at a time: those that come
// meanwhile share the next one. It ends with ctx.
func (r *reads) loop(ctx context.Context) {
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
		for group := r.ride(); group != nil; group = r.ride() {
			seq, err := r.log.Barrier(ctx)
			if err != nil {
				r.release(group, err)
				continue
			}
			r.quorumWrite(time.Now())
			r.resolved(group, seq)
		}
	}
}

// close ends reads that wait and those that come.
func (r *reads) close(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		return
	}
	r.closed = err
	if r.forming != nil {
		r.release(r.forming, err)
		r.forming = nil
	}
}

// progress is the place that the state has reached, and who waits for which.
type progress struct {
	mu      sync.Mutex
	seq     revision.Seq
	waiters []waiter
	closed  error
}

type waiter struct {
	seq  revision.Seq
	call func(error)
}

// when calls f once the state has reached seq, or with an error if it never
// will. f must not block.
func (p *progress) when(seq revision.Seq, f func(error)) {
	p.mu.Lock()
	reached, closed := !p.seq.Before(seq), p.closed
	if !reached && closed == nil {
		p.waiters = append(p.waiters, waiter{seq, f})
	}
	p.mu.Unlock()
	if reached {
		f(nil)
	} else if closed != nil {
		f(closed)
	}
}

// reached notes that the slot at seq is applied and its view published.
func (p *progress) reached(seq revision.Seq) {
	p.mu.Lock()
	p.seq = seq
	var ready []waiter
	kept := p.waiters[:0]
	for _, w := range p.waiters {
		if seq.Before(w.seq) {
			kept = append(kept, w)
		} else {
			ready = append(ready, w)
		}
	}
	clear(p.waiters[len(kept):])
	p.waiters = kept
	p.mu.Unlock()
	for _, w := range ready {
		w.call(nil)
	}
}

func (p *progress) close(err error) {
	p.mu.Lock()
	waiters := p.waiters
	p.waiters, p.closed = nil, err
	p.mu.Unlock()
	for _, w := range waiters {
		w.call(err)
	}
}
