package housekeep

import (
	"context"
	"time"
)

// pacer keeps the keeper's slow work from standing in the way of clients: it
// rests for some time after each write, in proportion to what that took. It does
// not while a call waits for the work.
type pacer struct {
	last    time.Time
	awaited func() bool
}

func (h *Housekeeper) newPacer() *pacer { return &pacer{time.Now(), h.physical.Awaited} }

const (
	// restFactor is how long it rests for each unit of time worked.
	restFactor = 3
	// restMax bounds a rest, should one write have hung.
	restMax = 250 * time.Millisecond
)

func (p *pacer) wait(ctx context.Context) error {
	rest := min(restFactor*time.Since(p.last), restMax)
	if p.awaited() {
		rest = 0
	}
	select {
	case <-time.After(rest):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.last = time.Now()
	return nil
}
