package pace

import "time"

// Later runs something by itself once a time has passed. It is called under its owner's
// lock, and its zero value is ready.
type Later struct {
	timer *time.Timer // nil before it is used first
	armed bool
}

// Arm has do run after that time, on a goroutine of its own; nothing if something is to
// run already. It is the same do each time, and calls Ran, under the owner's lock.
func (l *Later) Arm(wait time.Duration, do func()) {
	switch {
	case l.armed:
	case l.timer == nil:
		l.timer = time.AfterFunc(wait, do)
	default:
		l.timer.Reset(wait)
	}
	l.armed = true
}

// Ran says that what was to run runs.
func (l *Later) Ran() { l.armed = false }
