package backend

import (
	"context"
	"sync/atomic"
	"time"
)

// Timing is where the time of one call goes, to say why it was slow. It is filled in as the call gets on, and may be read at any time, also
// by a caller that has given up.
//
//	queue      waiting for an append, or a barrier, to be sent
//	zookeeper  from there until its place in the log was known
//	apply      from there until the state had come to that place
type Timing struct {
	marks [4]atomic.Int64 // since began, in nanoseconds; 0 is not yet
}

// What marks are of.
const (
	markQueued = iota
	markSent
	markShown
	markApplied
)

// began is where all marks count from.
var began = time.Now()

type timingKey struct{}

// TimingKey is the key under which a call's context holds its *Timing, if the call
// is timed.
var TimingKey any = timingKey{}

// timingOf is nil for a call that is not timed.
func timingOf(ctx context.Context) *Timing {
	t, _ := ctx.Value(TimingKey).(*Timing)
	return t
}

// mark notes that a call has come to a point, which it does once: of a call that
// waits twice, for a barrier and then for an append, the first begin and the
// last end count.
func (t *Timing) mark(point int, at time.Time) {
	switch {
	case t == nil || at.IsZero():
	case point == markQueued:
		t.marks[point].CompareAndSwap(0, int64(at.Sub(began)))
	default:
		t.marks[point].Store(int64(at.Sub(began)))
	}
}

// Phases are the parts of a call's time so far. What is left of it went into
// making the answer.
func (t *Timing) Phases() (queue, zookeeper, apply time.Duration) {
	now := int64(time.Since(began))
	var at [4]int64
	for i := range at {
		at[i] = t.marks[i].Load()
	}
	if at[markQueued] == 0 {
		return 0, 0, 0
	}
	part := func(i int) time.Duration {
		if at[i] == 0 {
			return 0 // it has not come so far
		}
		end := at[i+1]
		if end == 0 {
			end = now
		}
		return time.Duration(max(0, end-at[i]))
	}
	return part(markQueued), part(markSent), part(markShown)
}
