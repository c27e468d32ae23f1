package zkclient

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Backoff is pauses that grow while something fails again and again, each with
// jitter, so that many zkines do not ask in step. Its zero value is ready; it
// may be used by many at once, who share the pauses: what fails for all of them
// at one moment lengthens the next pause once.
type Backoff struct {
	mu    sync.Mutex
	pause time.Duration
	until time.Time // when the last pause ends
}

const (
	backoffMin = 100 * time.Millisecond
	// backoffMax bounds a pause but for its jitter, and so how long zkine takes
	// to notice that a person has mended what was wrong.
	backoffMax = 2 * time.Second
	// backoffCalm is how long nothing must have failed after a pause for the next
	// one to be short again.
	backoffCalm = 5 * time.Second
)

// Next is how long to pause now.
func (b *Backoff) Next() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Before(b.until) {
		return b.until.Sub(now)
	}
	if b.pause == 0 || now.Sub(b.until) > backoffCalm {
		b.pause = backoffMin
	} else {
		b.pause = min(2*b.pause, backoffMax)
	}
	d := jitter(b.pause)
	b.until = now.Add(d)
	return d
}

// Wait pauses, or returns earlier when ctx ends.
func (b *Backoff) Wait(ctx context.Context) {
	timer := time.NewTimer(b.Next())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// jitter keeps many zkines from asking all at once.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2) }
