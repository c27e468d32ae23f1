package backend

import (
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
)

// applyWait is the place in the log that the state has reached, and the calls that
// wait for a place (etcd's applyWait).
type applyWait struct {
	mu      sync.Mutex
	seq     revision.Seq
	waiters []placeWaiter
	closed  error
}

type placeWaiter struct {
	seq  revision.Seq
	call func(error)
}

// when calls f once the state has reached seq, or with an error if it never
// will. f must not block.
func (a *applyWait) when(seq revision.Seq, f func(error)) {
	a.mu.Lock()
	reached, closed := !a.seq.Before(seq), a.closed
	if !reached && closed == nil {
		a.waiters = append(a.waiters, placeWaiter{seq, f})
	}
	a.mu.Unlock()
	if reached {
		f(nil)
	} else if closed != nil {
		f(closed)
	}
}

// reached notes that the slot at seq is applied and its view published.
func (a *applyWait) reached(seq revision.Seq) {
	a.mu.Lock()
	a.seq = seq
	var ready []placeWaiter
	kept := a.waiters[:0]
	for _, w := range a.waiters {
		if seq.Before(w.seq) {
			kept = append(kept, w)
		} else {
			ready = append(ready, w)
		}
	}
	clear(a.waiters[len(kept):])
	a.waiters = kept
	a.mu.Unlock()
	for _, w := range ready {
		w.call(nil)
	}
}

func (a *applyWait) close(err error) {
	a.mu.Lock()
	waiters := a.waiters
	a.waiters, a.closed = nil, err
	a.mu.Unlock()
	for _, w := range waiters {
		w.call(err)
	}
}

// readGroup is reads that are released together.
type readGroup struct {
	size int // reads; under reads.mu while it forms
	// joined are groups that rode in vain and are released with this one; under
	// reads.mu while it forms.
	joined []*readGroup
	done   chan struct{}
	err    error // valid once done is closed
	// passage is that of its barrier, or of the append on which it rides.
	passage passage
}

// ride takes the group that forms along on an append that is about to be
// sent; nil if there is none.
func (r *reads) ride() *readGroup {
	r.mu.Lock()
	defer r.mu.Unlock()
	group := r.forming
	r.forming = nil
	if group != nil {
		r.gathering.Forget(time.Now(), group.size)
		group.goes(RidePassage)
	}
	return group
}

// again has a group that rode in vain released with the group that forms.
func (r *reads) again(group *readGroup) {
	if group == nil {
		return
	}
	r.mu.Lock()
	next, err := r.enter()
	if err == nil {
		next.joined = append(next.joined, group)
		r.signal()
	}
	r.mu.Unlock()
	if err != nil {
		r.release(group, err)
	}
}

// rode releases a group that rode on an append at seq, once the state has reached that.
func (r *reads) rode(group *readGroup, seq revision.Seq) {
	if group == nil {
		return
	}
	r.mu.Lock()
	r.gathering.Owed(time.Now(), time.Time{}, group.size, r.waiting())
	r.mu.Unlock()
	r.resolved(group, seq)
}

// resolved releases a group once the state has reached seq.
func (r *reads) resolved(group *readGroup, seq revision.Seq) {
	group.land(seq, time.Now())
	r.applied.when(seq, func(err error) { r.release(group, err) })
}

func (r *reads) release(group *readGroup, err error) {
	group.err = err
	close(group.done)
	for _, joined := range group.joined {
		r.release(joined, err)
	}
}
