package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// timed is a call's context that ends at a deadline with a cause. Its timer, and
// its place among its parent's children, are made when somebody first waits for
// its end: a read that is answered from memory never does, and they would be a
// thirtieth of what it costs.
type timed struct {
	context.Context // the call's
	deadline        time.Time
	cause           error

	making  sync.Once
	limited atomic.Pointer[limited]
}

// limited is the context that timed stands for, once it is made.
type limited struct {
	context.Context
	cancel context.CancelFunc
}

func withTimeout(ctx context.Context, timeout time.Duration, cause error) *timed {
	return &timed{Context: ctx, deadline: time.Now().Add(timeout), cause: cause}
}

// Done implements context.Context.
func (t *timed) Done() <-chan struct{} {
	t.making.Do(func() {
		ctx, cancel := context.WithDeadlineCause(t.Context, t.deadline, t.cause)
		t.limited.Store(&limited{ctx, cancel})
	})
	if l := t.limited.Load(); l != nil {
		return l.Done()
	}
	return t.Context.Done() // the call is over
}

// Err implements context.Context. Until somebody waits only the parent can end.
func (t *timed) Err() error {
	if l := t.limited.Load(); l != nil {
		return l.Err()
	}
	return t.Context.Err()
}

// Deadline implements context.Context.
func (t *timed) Deadline() (time.Time, bool) {
	if parents, ok := t.Context.Deadline(); ok && parents.Before(t.deadline) {
		return parents, true
	}
	return t.deadline, true
}

// Value implements context.Context. Package context finds its own, and with it
// the cause, through it.
func (t *timed) Value(key any) any {
	if l := t.limited.Load(); l != nil {
		return l.Value(key)
	}
	return t.Context.Value(key)
}

// release frees what was made, and keeps anything from being made later.
func (t *timed) release() {
	t.making.Do(func() {})
	if l := t.limited.Load(); l != nil {
		l.cancel()
	}
}
