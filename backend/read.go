package backend

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zkine/zkine/revision"
)

// reads makes reads linearizable. A read joins the group that forms; a group
// is released once the state has reached a place that a barrier, or an append
// sent after the last of the group arrived, has shown to be current. One
// barrier serves its whole group. While barriers are under way the next group
// forms, for as long as they serve many reads: then it is the processors that
// bound how fast reads are, and barriers that cost them. Few reads wait for
// nothing but the barriers, and more of these at once serve them sooner.
type reads struct {
	log      Log
	progress *progress
	// quorumWrite hears of each barrier that succeeded.
	quorumWrite func(time.Time)
	// succeeded hears of each read that did; may be nil.
	succeeded func()

	mu      sync.Mutex
	forming *readGroup
	// barriers are how many are under way, and served the reads that wait for
	// them. Those that end take their part away.
	barriers, served int
	closed           error
	// wake has room for one: there is a group, or a barrier less.
	wake chan struct{}
}

const (
	// maxBarriers is how many may be under way at once.
	maxBarriers = 4
	// manyReads is how many reads barriers under way must serve for the next
	// group to wait until one of them is over.
	manyReads = 16
)

// readGroup is reads that are released together.
type readGroup struct {
	size int // reads; under reads.mu while it forms
	done chan struct{}
	err  error // valid once done is closed
	// sent is when its barrier or its append was, shown when that was answered.
	sent, shown moment
}

// moment is one that somebody may ask for who does not know whether it has come.
type moment struct{ at atomic.Pointer[time.Time] }

func (m *moment) come() {
	now := time.Now()
	m.at.Store(&now)
}

// get is zero for one that has not come.
func (m *moment) get() time.Time {
	if at := m.at.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func newReads(log Log, p *progress, quorumWrite func(time.Time)) *reads {
	return &reads{log: log, progress: p, quorumWrite: quorumWrite, wake: make(chan struct{}, 1)}
}

// wait returns once the published view shows every write that was
// acknowledged, by any zkine, before the call.
func (r *reads) wait(ctx context.Context) error {
	if err := r.log.Refused(); errors.Is(err, revision.ErrUnauthenticated) {
		return err
	}
	group, err := r.join()
	if err != nil {
		return err
	}
	if t := timingOf(ctx); t != nil {
		t.mark(markQueued, time.Now())
		defer func() {
			t.mark(markSent, group.sent.get())
			t.mark(markShown, group.shown.get())
			if ctx.Err() == nil {
				t.mark(markApplied, time.Now())
			}
		}()
	}
	select {
	case <-group.done:
		if group.err == nil && r.succeeded != nil {
			r.succeeded()
		}
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
		r.signal()
	}
	r.forming.size++
	return r.forming, nil
}

func (r *reads) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// ride takes the group that forms along on an append that is about to be
// sent; nil if there is none.
func (r *reads) ride() *readGroup {
	r.mu.Lock()
	defer r.mu.Unlock()
	group := r.forming
	r.forming = nil
	if group != nil {
		group.sent.come()
	}
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
		group.shown.come()
		r.progress.when(seq, func(err error) { r.release(group, err) })
	}
}

func (r *reads) release(group *readGroup, err error) {
	group.err = err
	close(group.done)
}

// loop sends barriers while reads wait. It ends with ctx, and waits for the
// barriers under way.
func (r *reads) loop(ctx context.Context) {
	var underWay sync.WaitGroup
	defer underWay.Wait()
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
		if group := r.begin(); group != nil {
			underWay.Go(func() { r.barrier(ctx, group) })
		}
	}
}

// begin takes the group that forms for a barrier of its own; nil if there is
// none, or if it has to wait for those under way.
func (r *reads) begin() *readGroup {
	r.mu.Lock()
	defer r.mu.Unlock()
	group := r.forming
	if group == nil || r.barriers == maxBarriers || r.served >= manyReads {
		return nil
	}
	r.forming = nil
	group.sent.come()
	r.barriers++
	r.served += group.size
	return group
}

func (r *reads) barrier(ctx context.Context, group *readGroup) {
	seq, err := r.log.Barrier(ctx)
	if err == nil {
		// Not when it was sent: it may have waited for the end of an outage.
		r.quorumWrite(time.Now())
	}
	r.mu.Lock()
	r.barriers--
	r.served -= group.size
	r.signal()
	r.mu.Unlock()
	if err != nil {
		r.release(group, err)
		return
	}
	r.resolved(group, seq)
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
