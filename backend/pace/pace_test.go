package pace_test

import (
	"context"
	"sync"
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
	select {
	case w.grown <- struct{}{}:
	default:
	}
}

// gather has what waits in the queue go when the pacer says so.
func gather(ctx context.Context, p *pace.Pacer, q *waiting) {
	p.Gather(ctx, q)
	p.Take(q, func() int { return int(q.n.Swap(0)) })
}

// crowd has p's appends come after others'.
func crowd(p *pace.Pacer) {
	for slot := int64(1); slot < 40; slot += 3 {
		p.Landed(revision.Seq{Segment: 1, Slot: slot})
	}
}

// answered is a pacer whose last append held ten requests and took 3 ms, while ten waited.
func answered() *pace.Pacer {
	p := pace.New()
	p.Answered(time.Now().Add(-3*time.Millisecond), 10, queued(10))
	return p
}

func TestOneAtATimeHasTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := pace.New(), time.Now()
		require.True(t, p.Turn(t.Context()))
		time.AfterFunc(time.Second, p.Pass)
		require.True(t, p.Turn(t.Context()))
		require.Equal(t, time.Second, time.Since(began))

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.False(t, p.Turn(ctx))
		require.Equal(t, 2*time.Second, time.Since(began))
	})
}

// TestThoseWhoWereAnsweredAreWaitedFor: until all but an eighth of them are there, for as
// long as they keep coming, and for 8 ms at most.
func TestThoseWhoWereAnsweredAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, began := queued(10), time.Now()
		go func() {
			for range 10 {
				time.Sleep(100 * time.Microsecond)
				q.put()
			}
		}()
		gather(t.Context(), answered(), q)
		require.Equal(t, 800*time.Microsecond, time.Since(began))

		began, p := time.Now(), answered()
		gather(t.Context(), p, queued(17))
		require.Equal(t, 2400*time.Microsecond, time.Since(began), "no client comes, of ten")
		gather(t.Context(), p, queued(17))
		require.Equal(t, 2400*time.Microsecond, time.Since(began), "it is over")

		slow, ctx, stop := queued(11), t.Context(), make(chan struct{})
		began = time.Now()
		go func() {
			defer close(stop)
			for range 6 {
				time.Sleep(1500 * time.Microsecond)
				slow.put()
			}
		}()
		gather(ctx, answered(), slow)
		require.Equal(t, 8*time.Millisecond, time.Since(began), "they keep coming")
		<-stop

		began = time.Now()
		gather(t.Context(), answered(), queued(0)) // all were dropped
		gather(t.Context(), answered(), queued(18))
		require.Zero(t, time.Since(began))

		late := answered()
		time.Sleep(7 * time.Millisecond)
		gather(t.Context(), late, queued(11))
		require.Equal(t, 8*time.Millisecond, time.Since(began), "it began when they were answered")
	})
}

func TestFewAreNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := pace.New(), time.Now()
		gather(t.Context(), p, queued(1))
		p.Answered(time.Now().Add(-3*time.Millisecond), 2, queued(1))
		gather(t.Context(), p, queued(1))
		require.Zero(t, time.Since(began))

		for range 100 { // a client by itself
			p.Alone()
			sent := time.Now()
			time.Sleep(time.Millisecond)
			p.Answered(sent, 1, queued(0))
		}
		began = time.Now()
		gather(t.Context(), p, queued(1))
		require.Zero(t, time.Since(began))
	})
}

// TestGatheringsInVainAreLeftOut: after four in a row four, then one more is tried, and
// so on, with ever more that are left out, and never none; some that come true, which
// shows when they are answered, end that.
func TestGatheringsInVainAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New()
		waits := func(come int) bool {
			time.Sleep(30 * time.Millisecond) // those of before do not come back any more
			sent := time.Now()
			time.Sleep(3 * time.Millisecond)
			p.Answered(sent, 10, queued(0))
			began, q := time.Now(), queued(1)
			var coming sync.WaitGroup
			coming.Go(func() {
				for range come {
					time.Sleep(100 * time.Microsecond)
					q.put()
				}
			})
			gather(t.Context(), p, q)
			took := time.Since(began)
			coming.Wait()
			return took > 0
		}
		for range 4 {
			require.True(t, waits(0))
		}
		for _, left := range []int{4, 8, 16, 32, 64, 128, 256, 512, 512} {
			for range left {
				require.False(t, waits(0))
			}
			require.True(t, waits(0), left)
		}
		for range 100 {
			for range 512 {
				require.False(t, waits(0))
			}
			require.True(t, waits(0))
		}
		for range 512 {
			require.False(t, waits(0))
		}
		require.True(t, waits(9), "all came")
		require.True(t, waits(0))
		for range 16 {
			require.False(t, waits(0), "it may have been chance")
		}
		for range 3 {
			require.True(t, waits(9))
		}
		for range 4 {
			require.True(t, waits(0))
		}
		require.False(t, waits(0))
	})
}

func TestOthersAppendsCrowd(t *testing.T) {
	p := pace.New()
	require.False(t, p.Crowded())
	crowd(p)
	require.True(t, p.Crowded())
	for slot := int64(50); slot < 60; slot++ {
		p.Landed(revision.Seq{Segment: 1, Slot: slot})
	}
	require.False(t, p.Crowded(), "they are gone")
}

func TestTheEndIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		gather(ctx, answered(), queued(10))
		require.Zero(t, time.Since(began))
	})
}
