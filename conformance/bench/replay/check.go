package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/zkine/zkine/conformance/bench/trace"
)

const (
	// drainLimit bounds how long the last events may take.
	drainLimit = 30 * time.Second
	// longLease is a lease that does not run out while a replay lasts, in seconds. Keys on shorter ones may go by
	// themselves, and are not counted.
	longLease = 600
)

// checkWatches waits until each watch that is open has brought every write of its keys since its start, and no more.
func (p *player) checkWatches(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, drainLimit, fmt.Errorf("not within %v", drainLimit))
	defer cancel()
	for _, s := range p.streams {
		for n := range s.asked {
			if err := p.checkWatch(ctx, s, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *player) findFleeting() map[string]bool {
	keys := make(map[string]bool)
	for _, r := range p.requests {
		if r.Write() && r.Lease != trace.None && p.requests[r.Lease].TTL < longLease {
			keys[r.Key] = true
		}
	}
	return keys
}

func (p *player) checkWatch(ctx context.Context, s *stream, n int) error {
	if err := s.await(ctx, func() bool { return s.created > n }); err != nil {
		return fmt.Errorf("a watch is not confirmed: %w", err)
	}
	s.mu.Lock()
	w, cancelled := s.watches[n], s.watches[n].cancelled
	s.mu.Unlock()
	if cancelled {
		return nil
	}
	var want, got int64
	p.mu.Lock()
	for _, write := range p.writes {
		if write.revision >= w.start && w.covers(write.key) && !p.fleeting[write.key] {
			want++
		}
	}
	p.mu.Unlock()
	err := s.await(ctx, func() bool {
		got = 0
		for key, events := range w.brought {
			if !p.fleeting[key] {
				got += events
			}
		}
		return got >= want
	})
	if err != nil || got != want {
		return fmt.Errorf("a watch of %q to %q from revision %d has brought %d events of %d: %w", w.key, w.end, w.start, got, want, err)
	}
	return nil
}

// covers says whether a watch is for a key.
func (w *watch) covers(key string) bool {
	switch w.end {
	case "":
		return key == w.key
	case "\x00":
		return key >= w.key
	}
	return key >= w.key && key < w.end
}
