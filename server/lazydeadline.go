package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lazyDeadline is a call's context that ends at a deadline with a cause. Its
// timer, and its place among its parent's children, are made when Done is first
// called. A read that is answered from memory never calls it, and they would be
// a thirtieth of what such a read costs.
type lazyDeadline struct {
	context.Context // the call's
	deadline        time.Time
	cause           error

	making  sync.Once
	limited atomic.Pointer[limited]
}

// limited is the context that a lazyDeadline stands for, once it is made.
type limited struct {
	context.Context
	cancel context.CancelFunc
}

func withTimeout(ctx context.Context, timeout time.Duration, cause error) *lazyDeadline {
	return &lazyDeadline{Context: ctx, deadline: time.Now().Add(timeout), cause: cause}
}

// Done implements context.Context.
func (d *lazyDeadline) Done() <-chan struct{} {
	d.making.Do(func() {
		ctx, cancel := context.WithDeadlineCause(d.Context, d.deadline, d.cause)
		d.limited.Store(&limited{ctx, cancel})
	})
	if l := d.limited.Load(); l != nil {
		return l.Done()
	}
	return d.Context.Done() // the call is over
}

// Err implements context.Context. Until Done is called only the parent can end it.
func (d *lazyDeadline) Err() error {
	if l := d.limited.Load(); l != nil {
		return l.Err()
	}
	return d.Context.Err()
}

// Deadline implements context.Context.
func (d *lazyDeadline) Deadline() (time.Time, bool) {
	if parents, ok := d.Context.Deadline(); ok && parents.Before(d.deadline) {
		return parents, true
	}
	return d.deadline, true
}

// Value implements context.Context. Package context finds its own, and with it
// the cause, through it.
func (d *lazyDeadline) Value(key any) any {
	if l := d.limited.Load(); l != nil {
		return l.Value(key)
	}
	return d.Context.Value(key)
}

// release frees what was made, and keeps anything from being made later.
func (d *lazyDeadline) release() {
	d.making.Do(func() {})
	if l := d.limited.Load(); l != nil {
		l.cancel()
	}
}
