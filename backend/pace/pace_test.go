package pace_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend/pace"
	"github.com/zkine/zkine/revision"
)

// waiting is a queue.
type waiting struct {
	n     atomic.Int64
	grown chan struct{}
}

func queued(n int64) *waiting {
	w := &waiting{grown: make(chan struct{}, 1)}
	w.n.Store(n)
	return w
}

func (w *waiting) Waiting() (int, <-chan struct{}) { return int(w.n.Load()), w.grown }

func (w *waiting) put() {
	w.n.Add(1)
	w.grown <- struct{}{}
}

// crowded is a pacer whose appends of ten requests come after others', while ten wait.
func crowded() *pace.Pacer {
	p := pace.New()
	for slot := int64(1); slot < 40; slot += 3 {
		p.Landed(revision.Seq{Segment: 1, Slot: slot}, 10, 10, 6*time.Millisecond)
	}
	return p
}

func TestAloneNothingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := pace.New(), time.Now()
		for slot := range int64(40) {
			done := p.Await(t.Context(), queued(1))
			p.Await(t.Context(), queued(1))() // several may be under way
			p.Landed(revision.Seq{Segment: 1, Slot: slot}, 10, 10, 6*time.Millisecond)
			done()
		}
		require.Zero(t, time.Since(began))
	})
}

func TestCrowdedOneIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := crowded(), time.Now()
		done := p.Await(t.Context(), queued(20))
		time.AfterFunc(time.Second, done)
		p.Await(t.Context(), queued(20))()
		require.Equal(t, time.Second, time.Since(began))
	})
}

// TestCrowdedAllThatWereAnsweredAreWaitedFor: until they are there, or for half as
// long as the last append took.
func TestCrowdedAllThatWereAnsweredAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, began := queued(10), time.Now()
		go func() {
			for range 10 {
				time.Sleep(100 * time.Microsecond)
				q.put()
			}
		}()
		crowded().Await(t.Context(), q)()
		require.Equal(t, time.Millisecond, time.Since(began))
		require.EqualValues(t, 20, q.n.Load())

		began = time.Now()
		crowded().Await(t.Context(), queued(10))()
		require.Equal(t, 3*time.Millisecond, time.Since(began))

		began = time.Now()
		crowded().Await(t.Context(), queued(0))() // all were dropped
		require.Zero(t, time.Since(began))
	})
}

func TestALoneClientIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := crowded(), time.Now()
		p.Landed(revision.Seq{Segment: 1, Slot: 100}, 1, 1, 6*time.Millisecond)
		p.Await(t.Context(), queued(1))()
		require.Zero(t, time.Since(began))
	})
}

func TestTheCrowdIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := crowded()
		for slot := int64(50); slot < 60; slot++ {
			p.Landed(revision.Seq{Segment: 1, Slot: slot}, 10, 10, 6*time.Millisecond)
		}
		began := time.Now()
		p.Await(t.Context(), queued(10))
		p.Await(t.Context(), queued(10))
		require.Zero(t, time.Since(began))
	})
}

func TestTheEndIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		p, began := crowded(), time.Now()
		p.Await(ctx, queued(10))
		p.Await(ctx, queued(10))()
		require.Zero(t, time.Since(began))
	})
}
