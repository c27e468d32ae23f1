package backend

import (
	"sync"

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
