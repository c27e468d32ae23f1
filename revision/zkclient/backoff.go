package zkclient

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
)

// Backoff is pauses that grow while something fails again and again, each with
// jitter, so that many zkines do not ask in step. Its zero value is ready; it
// may be used by many at once, who share the pauses: what fails for all of them
// at one moment lengthens the next pause once.
type Backoff struct {
	// Random is where the jitter comes from: a source that never fails and may be
	// read by many at once; nil is crypto/rand's.
	Random io.Reader

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
	d := jitter(b.Random, b.pause)
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

// jitter draws a pause of about d, so that many zkines do not ask all at once. A
// simulation gives the source, so that its pauses repeat; nil is crypto/rand's.
func jitter(random io.Reader, d time.Duration) time.Duration {
	if random == nil {
		random = rand.Reader
	}
	var drawn [8]byte
	revision.Draw(random, drawn[:])
	return d*3/4 + time.Duration(binary.LittleEndian.Uint64(drawn[:])%uint64(d/2))
}
