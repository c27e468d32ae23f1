package readlease

import (
	"context"
	"crypto/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
)

// reading is a Holder on a log that a test plays.
type reading struct {
	t *testing.T
	*Holder
	woken     int
	permitted bool
	next      int64
}

func newReading(t *testing.T) *reading {
	r := &reading{t: t, permitted: true}
	began := time.Now().Add(-time.Hour)
	r.Holder = NewHolder(Env{
		Clock: func() time.Duration { return time.Since(began) }, Wake: func() { r.woken++ },
		Permitted: func() bool { return r.permitted }, Connected: func() error { return nil }, Random: rand.Reader, Reads: 1,
	})
	r.lands(revision.Nonce{0xff}, nil)
	return r
}

// lands has a batch land in the log, and applies its slot.
func (r *reading) lands(nonce revision.Nonce, lease *revision.ReadLease) {
	r.Applied(revision.Slot{Seq: place(r.next), Nonce: nonce, Lease: lease})
	r.next++
}

// serves says whether a read is answered by the lease.
func (r *reading) serves() bool {
	token, ok := r.Begin(r.t.Context())
	return ok && r.Valid(token)
}

// takes has the Holder take the lease.
func (r *reading) takes() {
	r.t.Helper()
	r.serves()
	require.True(r.t, r.Due())
	lease := r.Sending(revision.Nonce{1}, true)
	require.True(r.t, lease.Renews)
	r.lands(revision.Nonce{1}, lease)
	require.True(r.t, r.serves())
}

func TestALeaseIsTakenAndRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		require.False(t, r.Due(), "nothing has asked")
		require.False(t, r.serves())
		require.Equal(t, 1, r.woken)
		lease := r.Sending(revision.Nonce{1}, true)
		require.Equal(t, place(0), lease.Seen)
		time.Sleep(50 * time.Millisecond)
		require.False(t, r.serves(), "it is not applied")
		r.lands(revision.Nonce{1}, lease)
		time.Sleep(use - 50*time.Millisecond - 1)
		require.True(t, r.serves())
		time.Sleep(time.Nanosecond)
		require.False(t, r.serves(), "it counts from when it was sent")
	})
}

func TestALeaseIsRenewedWhileReadsCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		r.takes()
		require.False(t, r.Due())
		time.Sleep(renewAfter)
		for range keepReads {
			require.True(t, r.serves())
		}
		require.True(t, r.Due())
		r.lands(revision.Nonce{2}, r.Sending(revision.Nonce{2}, true))
		time.Sleep(use - renewAfter)
		require.True(t, r.serves())
	})
}

func TestARenewalDoesNotHelpAReadThatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		r.takes()
		token, ok := r.Begin(t.Context())
		require.True(t, ok)
		time.Sleep(use / 2)
		r.lands(revision.Nonce{2}, r.Sending(revision.Nonce{2}, false))
		time.Sleep(use / 2)
		require.False(t, r.Valid(token))
		require.True(t, r.serves())
	})
}

func TestAReadWaitsForOwnBatchesUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		r.takes()
		lease := r.Sending(revision.Nonce{2}, false)
		require.NotNil(t, lease)
		began := time.Now()
		go func() {
			time.Sleep(3 * time.Millisecond)
			r.lands(revision.Nonce{2}, lease)
		}()
		require.True(t, r.serves())
		require.Equal(t, 3*time.Millisecond, time.Since(began))

		r.Sending(revision.Nonce{3}, false) // which never lands
		require.False(t, r.serves())
		require.LessOrEqual(t, time.Since(began), Duration)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, ok := r.Begin(ctx)
		require.False(t, ok)
	})
}

func TestAnAppendThatFailsEndsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		r.takes()
		token, ok := r.Begin(t.Context())
		require.True(t, ok)
		late := r.Sending(revision.Nonce{2}, false)
		r.Failed(revision.Nonce{2})
		require.False(t, r.Valid(token))
		require.False(t, r.serves())
		require.True(t, r.Own(late.Holder))
		r.lands(revision.Nonce{2}, late)
		require.False(t, r.serves(), "it landed after all, under the number of before")
		time.Sleep(Duration)
		r.takes()
	})
}

func TestAnotherOnesLeaseIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		r.serves()
		require.True(t, r.Due())
		r.lands(revision.Nonce{9}, by(them, 0, true))
		require.False(t, r.Due())
		require.Nil(t, r.Sending(revision.Nonce{2}, false), "what was wanted before does not count")
		time.Sleep(wait - 1)
		r.serves()
		require.False(t, r.Due())
		time.Sleep(time.Nanosecond)
		r.takes()
		r.lands(revision.Nonce{10}, by(them, r.next-1, true))
		require.False(t, r.serves(), "it was taken over")
	})
}

func TestTheHolderSaysWhatItHasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		r.lands(revision.Nonce{8}, nil)
		require.False(t, r.Due(), "no lease, no other waits")
		r.takes()
		r.lands(revision.Nonce{9}, nil)
		require.True(t, r.Due())
		require.Equal(t, place(r.next-1), r.Sending(revision.Nonce{2}, true).Seen)
		require.False(t, r.Due())
	})
}

func TestNoLeaseBesideAMemberThatDoesNotKnowIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		r.permitted = false
		for range 100 {
			require.False(t, r.serves())
		}
		require.False(t, r.Due())
		time.Sleep(renewAfter)
		r.permitted = true
		r.takes()
	})
}

// TestClocksThatDrift: a gate never lets a slot pass while the holder makes use of
// the lease, with clocks as far apart as they may be, and everything on its way for
// no time at all.
func TestClocksThatDrift(t *testing.T) {
	const worst = 1_000_000/Drift - 1 // parts of a million
	for _, drift := range [][2]time.Duration{{-worst, worst}, {worst, -worst}, {worst, worst}, {0, 0}, {-worst, -worst}} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			clock := func(drift time.Duration) Clock {
				return func() time.Duration {
					since := time.Since(began)
					return time.Hour + since + since*drift/1_000_000
				}
			}
			r := newReading(t)
			r.Clock = clock(drift[0])
			s := newScript()
			g := gateOn(s)
			g.clock = clock(drift[1])
			s.write(nil)
			r.serves()
			lease := r.Sending(revision.Nonce{1}, true)
			r.lands(revision.Nonce{1}, lease)
			s.write(lease)
			s.write(nil)
			expect(t, g, 0, 0)
			expect(t, g, 1, 0)
			passed := make(chan time.Duration, 1)
			go func() {
				g.Next(t.Context()) //nolint:errcheck // the script has no errors
				passed <- time.Since(began)
			}()
			for r.serves() {
				time.Sleep(10 * time.Microsecond)
			}
			require.LessOrEqual(t, time.Since(began), <-passed)
			require.Less(t, time.Since(began), 500*time.Millisecond)
		})
	}
}

func TestSkippingEndsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		r.takes()
		r.Skipping()
		r.Loaded(revision.Seq{Segment: 5, Slot: 9})
		require.False(t, r.serves())
	})
}

func TestWithoutAHolder(t *testing.T) {
	var h *Holder
	_, ok := h.Begin(t.Context())
	require.False(t, ok)
	require.False(t, h.Due())
	require.Nil(t, h.Sending(revision.Nonce{1}, false))
	h.Failed(revision.Nonce{1})
	h.Applied(revision.Slot{})
	h.Skipping()
	h.Loaded(revision.Seq{})
	require.False(t, h.Own(us))
}
