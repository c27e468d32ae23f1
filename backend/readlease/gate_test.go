package readlease

import (
	"context"
	"errors"
	"math/rand"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
)

const (
	us   = 1 << 40 // this process
	them = 2 << 40
	more = 3 << 40
)

func place(slot int64) revision.Seq { return revision.Seq{Segment: 1, Slot: slot} }

// by is what a batch says that renews, or that has seen a place only.
func by(holder uint64, seen int64, renews bool) *revision.ReadLease {
	return &revision.ReadLease{Holder: holder, Seen: place(seen), Renews: renews}
}

// script is a log that a test writes.
type script struct {
	slots    chan revision.Slot
	n        int64
	reloaded int
}

func newScript() *script { return &script{slots: make(chan revision.Slot, 2*maxHeld)} }

// write appends a slot.
func (s *script) write(lease *revision.ReadLease) {
	s.slots <- revision.Slot{Seq: place(s.n), Nonce: revision.Nonce{byte(s.n), byte(s.n >> 8)}, Lease: lease}
	s.n++
}

func (s *script) Next(ctx context.Context) (revision.Slot, error) {
	select {
	case slot := <-s.slots:
		return slot, nil
	case <-ctx.Done():
		return revision.Slot{}, context.Cause(ctx)
	}
}

func (s *script) Reload(context.Context) error {
	s.reloaded++
	return nil
}

// gateOn is a gate on a script, with the time of the bubble as its clock.
func gateOn(s *script) *Gate {
	began := time.Now().Add(-time.Hour)
	return NewGate(s, func() time.Duration { return time.Since(began) }, func(holder uint64) bool { return holder == us })
}

// expect has the gate return the next slot after a time.
func expect(t *testing.T, g *Gate, slot int64, after time.Duration) {
	t.Helper()
	began := time.Now()
	got, err := g.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, place(slot), got.Seq)
	require.Equal(t, after, time.Since(began), "slot %d", slot)
}

func TestASlotWaitsUntilTheLeaseHasRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := gateOn(s)
		s.write(nil)
		s.write(by(them, 0, true))
		expect(t, g, 0, 0)
		expect(t, g, 1, 0)
		time.Sleep(100 * time.Millisecond)
		s.write(nil)
		s.write(nil)
		expect(t, g, 2, wait-100*time.Millisecond)
		expect(t, g, 3, 0)
		require.Equal(t, 2*(wait-100*time.Millisecond), g.Waited())
	})
}

func TestASlotWaitsUntilTheHolderHasSeenIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := gateOn(s)
		s.write(nil)
		s.write(by(them, 0, true))
		s.write(nil)
		s.write(nil)
		go func() {
			time.Sleep(3 * time.Millisecond)
			s.write(by(them, 1, true)) // a renewal that has not seen it
			time.Sleep(2 * time.Millisecond)
			s.write(by(more, 3, false)) // another one's word does not count
			time.Sleep(time.Millisecond)
			s.write(by(them, 2, false))
		}()
		expect(t, g, 0, 0)
		expect(t, g, 1, 0)
		expect(t, g, 2, 6*time.Millisecond)
		// What was not seen waits for the record before it, not for the renewal.
		expect(t, g, 3, wait-6*time.Millisecond)
		expect(t, g, 4, 0)
		expect(t, g, 5, 3*time.Millisecond) // it stands behind the renewal
		expect(t, g, 6, 0)
	})
}

func TestWhatTheHolderWritesDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := gateOn(s)
		s.write(nil)
		s.write(by(them, 0, true))
		s.write(by(them, 0, false))
		s.write(by(them, 0, true))
		for slot := range int64(4) {
			expect(t, g, slot, 0)
		}
	})
}

func TestTheHolderDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := gateOn(s)
		s.write(nil)
		s.write(by(us, 0, true))
		s.write(nil)
		for slot := range int64(3) {
			expect(t, g, slot, 0)
		}
	})
}

func TestTheOneThatTakesOverHasSeenTheLeaseRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := gateOn(s)
		s.write(nil)
		s.write(by(them, 0, true))
		s.write(nil)
		s.write(by(more, 0, true)) // not effective: it has not seen the other's record
		s.write(by(more, 1, true))
		s.write(nil)
		for slot := range int64(5) {
			expect(t, g, slot, 0)
		}
		expect(t, g, 5, wait)
	})
}

func TestTheFirstOfASegmentIsNotEffective(t *testing.T) {
	c := chain{}
	require.False(t, c.next(&revision.Slot{Seq: place(0), Lease: &revision.ReadLease{Holder: them, Renews: true}}))
	require.True(t, c.next(&revision.Slot{Seq: place(1), Lease: by(them, 0, true)}))
	next := revision.Slot{Seq: revision.Seq{Segment: 2}, Lease: by(them, 1, true)}
	require.False(t, c.next(&next))
	require.Zero(t, c.holder, "what was before the segment does not count")
}

func TestReloadForgetsWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := gateOn(s)
		s.write(nil)
		s.write(by(them, 0, true))
		s.write(nil)
		expect(t, g, 0, 0)
		expect(t, g, 1, 0)
		errIdle := errors.New("idle")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errIdle)
		defer cancel()
		_, err := g.Next(ctx)
		require.ErrorIs(t, err, errIdle)
		require.NoError(t, g.Reload(t.Context()))
		require.Equal(t, 1, s.reloaded)
		s.write(nil)
		expect(t, g, 3, 0)
	})
}

func TestWhatIsHeldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		g := gateOn(s)
		s.write(nil)
		s.write(by(them, 0, true))
		for range maxHeld + 100 {
			s.write(nil)
		}
		expect(t, g, 0, 0)
		expect(t, g, 1, 0)
		expect(t, g, 2, wait)
		require.Len(t, s.slots, 100)
	})
}

// TestGateAgainstOneThatKnowsAll compares, for random logs that are there at once,
// what a gate lets pass before anything has run out with what the whole log says.
func TestGateAgainstOneThatKnowsAll(t *testing.T) {
	seed := rand.Int63()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewSource(seed))
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			s := newScript()
			g := gateOn(s)
			var log []*revision.ReadLease
			for slot := range int64(30) {
				var l *revision.ReadLease
				if rng.Intn(2) == 0 {
					l = by([]uint64{us, them, more}[rng.Intn(3)], rng.Int63n(slot+1), rng.Intn(2) == 0)
				}
				log = append(log, l)
				s.write(l)
			}
			want := passes(log)
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			got := 0
			for _, err := g.Next(ctx); err == nil; _, err = g.Next(ctx) {
				got++
			}
			require.Equal(t, want, got)
		})
	}
}

// passes is how many slots of a log need not wait, by the whole log.
func passes(log []*revision.ReadLease) int {
	type record struct {
		at     int64
		holder uint64
	}
	var effective []record
	for i, l := range log {
		if l == nil || !l.Renews {
			continue
		}
		last := record{}
		if len(effective) > 0 {
			last = effective[len(effective)-1]
		}
		if last.holder == 0 || last.holder == l.Holder || l.Seen.Slot >= last.at {
			effective = append(effective, record{int64(i), l.Holder})
		}
	}
	for i, l := range log {
		var before, after uint64
		for _, r := range effective {
			if r.at < int64(i) {
				before = r.holder
			}
		}
		taken := slices.ContainsFunc(effective, func(r record) bool {
			if r.at >= int64(i) && after == 0 && r.holder != before {
				after = r.holder
			}
			return after != 0
		})
		seen := false
		for _, later := range log[i+1:] {
			seen = seen || later != nil && later.Holder == before && later.Seen.Slot >= int64(i)
		}
		if before != 0 && before != us && !taken && !seen && (l == nil || l.Holder != before) {
			return i
		}
	}
	return len(log)
}
