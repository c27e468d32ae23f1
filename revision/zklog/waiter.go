package zklog

import (
	"time"

	"github.com/zkine/zkine/revision"
)

// waiter is an append that wants to hear of its nonce.
type waiter struct {
	found chan struct{} // closed when the nonce was delivered
	seq   revision.Seq  // where, first; valid once found is closed
	// skipped says that a part of the log was skipped while it waited.
	skipped bool
}

// await registers interest in a nonce, before it is first sent.
func (t *tail) await(n revision.Nonce) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := &waiter{found: make(chan struct{})}
	t.waiters[n] = a
	t.inFlight++
	return a
}

// isSkipped says whether a part of the log was skipped while an append waited.
func (t *tail) isSkipped(a *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return a.skipped
}

func (t *tail) forget(n revision.Nonce) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiters, n)
	t.inFlight--
	t.lastOwn = time.Now()
	t.signal()
}
