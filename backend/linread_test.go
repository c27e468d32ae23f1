package backend

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend/metrics"
	"github.com/zkine/zkine/revision"
)

// heldBarriers are barriers that end when they are told.
type heldBarriers struct {
	mu   sync.Mutex
	held []chan error
	// quorum is when a barrier proved one.
	quorum []time.Time
}

func (h *heldBarriers) Barrier(ctx context.Context) (revision.Seq, error) {
	end := make(chan error)
	h.mu.Lock()
	h.held = append(h.held, end)
	h.mu.Unlock()
	select {
	case err := <-end:
		return revision.Seq{}, err
	case <-ctx.Done():
		return revision.Seq{}, context.Cause(ctx)
	}
}

func (h *heldBarriers) Refused() error { return nil }

// begun is how many barriers there were.
func (h *heldBarriers) begun() int {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.held)
}

func (h *heldBarriers) end(i int, err error) {
	h.mu.Lock()
	end := h.held[i]
	h.mu.Unlock()
	end <- err
	synctest.Wait()
}

// heldReads runs a test of reads on held barriers. read begins n reads at once,
// and returns their outcomes.
func heldReads(t *testing.T, test func(h *heldBarriers, read func(n int) chan error)) {
	synctest.Test(t, func(t *testing.T) {
		h := &heldBarriers{}
		r := newReads(context.Background(), h, new(applyWait), func(at time.Time) { h.quorum = append(h.quorum, at) }, func() {}, metrics.New(nil))
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(ErrClosed)
		go r.loop(ctx)
		test(h, func(n int) chan error {
			done := make(chan error, n)
			for range n {
				go func() { done <- r.wait(ctx) }()
			}
			synctest.Wait()
			return done
		})
	})
}

// Few reads do not wait for the barriers of others.
func TestFewReadsHaveBarriersAtOnce(t *testing.T) {
	heldReads(t, func(h *heldBarriers, read func(int) chan error) {
		var done []chan error
		for i := range maxBarriers {
			done = append(done, read(1))
			require.Equal(t, i+1, h.begun())
		}
		last := read(2)
		require.Equal(t, maxBarriers, h.begun(), "no more than that")
		h.end(2, nil)
		require.NoError(t, <-done[2])
		require.Equal(t, maxBarriers+1, h.begun(), "those that waited have theirs now")
		require.Empty(t, last)
		broken := errors.New("broken")
		h.end(maxBarriers, broken)
		require.ErrorIs(t, <-last, broken)
		require.ErrorIs(t, <-last, broken)
		require.Empty(t, done[0], "a barrier that fails is its own reads' matter")
		h.end(0, nil)
		require.NoError(t, <-done[0])
	})
}

// Reads that come while a barrier serves many share the next one.
func TestManyReadsShareBarriers(t *testing.T) {
	heldReads(t, func(h *heldBarriers, read func(int) chan error) {
		for range maxBarriers {
			read(1)
		}
		many := read(manyReads) // as one group, since there are barriers enough
		h.end(0, nil)
		require.Equal(t, maxBarriers+1, h.begun())
		for i := range maxBarriers - 1 {
			h.end(i+1, nil)
		}
		few := read(2)
		read(1)
		require.Equal(t, maxBarriers+1, h.begun(), "they wait for the many")
		h.end(maxBarriers, nil)
		require.Len(t, many, manyReads)
		time.Sleep(3 * time.Millisecond) // the bubble's time: for the many, who may come again
		synctest.Wait()
		require.Equal(t, maxBarriers+2, h.begun(), "they share one")
		h.end(maxBarriers+1, nil)
		require.Len(t, few, 2)
	})
}

// Those whom a barrier has just answered are waited for, if they were some.
func TestReadsWaitForThoseThatWereAnswered(t *testing.T) {
	heldReads(t, func(h *heldBarriers, read func(int) chan error) {
		for range maxBarriers {
			read(1)
		}
		some := read(manyReads)
		for i := range maxBarriers {
			h.end(i, nil)
		}
		require.Equal(t, maxBarriers+1, h.begun())
		time.Sleep(30 * time.Millisecond) // the four do not come back
		h.end(maxBarriers, nil)
		require.Len(t, some, manyReads)

		again, began := read(manyReads*7/8-1), time.Now() // an eighth may stay away
		require.Equal(t, maxBarriers+1, h.begun(), "one more is waited for")
		last := read(1)
		require.Equal(t, maxBarriers+2, h.begun())
		require.Zero(t, time.Since(began))
		time.Sleep(time.Millisecond)
		h.end(maxBarriers+1, nil)
		require.Len(t, again, manyReads*7/8-1)
		require.Len(t, last, 1)

		read(1)
		require.Equal(t, maxBarriers+2, h.begun())
		time.Sleep(2 * time.Millisecond)
		require.Equal(t, maxBarriers+2, h.begun())
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Equal(t, maxBarriers+3, h.begun(), "no other client came")
		read(1)
		require.Equal(t, maxBarriers+4, h.begun(), "few do not gather")
	})
}

// A barrier that waited for the end of an outage proves a quorum after that, and
// none while it waited: else the outage could pass for two short silences.
func TestABarrierProvesAQuorumWhenItIsAnswered(t *testing.T) {
	heldReads(t, func(h *heldBarriers, read func(int) chan error) {
		read(1)
		require.Equal(t, 1, h.begun())
		time.Sleep(time.Minute) // the bubble's time
		h.end(0, nil)
		require.Equal(t, []time.Time{time.Now()}, h.quorum)
		read(1)
		require.Equal(t, 2, h.begun())
		h.end(1, errors.New("broken"))
		require.Len(t, h.quorum, 1)
	})
}

// TestGroupsThatRodeInVainShareTheNextBarrier: they wait for it without a
// goroutine each, which Close would have to wait for.
func TestGroupsThatRodeInVainShareTheNextBarrier(t *testing.T) {
	for name, end := range map[string]func(*reads){
		"released": func(r *reads) { r.release(r.begin(), nil) },
		"closed":   func(r *reads) { r.close(ErrClosed) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newReads(context.Background(), &heldBarriers{}, new(applyWait), func(time.Time) {}, func() {}, metrics.New(nil))
			before := runtime.NumGoroutine()
			var groups []*readGroup
			for range 100 {
				_, err := r.join()
				require.NoError(t, err)
				groups = append(groups, r.ride())
				r.again(groups[len(groups)-1])
				r.again(nil)
			}
			require.LessOrEqual(t, runtime.NumGoroutine(), before)
			end(r)
			for _, group := range groups {
				<-group.done
			}
		})
	}
}
