package zktest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Waits measures how long the machine lets this process wait for a processor, by
// naps that it makes longer. A test that judges a promise about time by it judges
// what it tests, and not what else the machine does.
type Waits struct {
	mu   sync.Mutex
	naps []nap
}

// nap is a sleep of napTime, which the machine made longer by late.
type nap struct {
	ended time.Time
	late  time.Duration
}

const napTime = 10 * time.Millisecond

// MeasureWaits measures until the test ends.
func MeasureWaits(t testing.TB) *Waits {
	w := &Waits{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	wg.Go(func() {
		for ctx.Err() == nil {
			w.nap()
		}
	})
	return w
}

func (w *Waits) nap() {
	began := time.Now()
	time.Sleep(napTime)
	n := nap{ended: time.Now()}
	n.late = n.ended.Sub(began) - napTime
	w.mu.Lock()
	defer w.mu.Unlock()
	w.naps = append(w.naps, n)
}

// Between is the time from one moment to another, without what the process waited
// for a processor between them.
func (w *Waits) Between(from, to time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := to.Sub(from)
	for _, n := range w.naps {
		if n.ended.After(from) && n.ended.Before(to) {
			d -= n.late
		}
	}
	return d
}
