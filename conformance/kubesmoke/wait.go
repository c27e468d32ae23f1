package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollInterval is how often a condition is looked at: often enough that timings in the summary mean something.
const pollInterval = 50 * time.Millisecond

// hopeless marks an error that waiting cannot mend, such as a process that has ended.
type hopeless struct{ error }

func (h hopeless) Unwrap() error { return h.error }

// until looks at a condition, at once and then every pollInterval, until it returns nil. It gives up when limit has
// passed, when ctx ends or when the error is hopeless, and returns the condition's last error under what.
func until(ctx context.Context, limit time.Duration, what string, condition func(context.Context) error) error {
	timed, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %v", limit))
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := condition(timed)
		if err == nil {
			return nil
		}
		if errors.As(err, new(hopeless)) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-tick.C:
		case <-timed.Done():
			return fmt.Errorf("%s: %w; last: %w", what, context.Cause(timed), err)
		}
	}
}

// pause waits for d or the end of ctx, and says whether to go on. It is for the rhythm of loops, not for waiting
// until something is so.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
