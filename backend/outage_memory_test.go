package backend_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/zktest"
)

// counted is how many of the requests that it has made are still referenced.
type counted struct{ alive atomic.Int64 }

func (c *counted) put(key string, size int) *pb.PutRequest {
	r := &pb.PutRequest{Key: []byte(key), Value: make([]byte, size)}
	c.alive.Add(1)
	runtime.AddCleanup(r, func(alive *atomic.Int64) { alive.Add(-1) }, &c.alive)
	return r
}

// atMost waits until no more than n are referenced.
func (c *counted) atMost(t *testing.T, n int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("at most %d requests are referenced", n), func() bool {
		runtime.GC()
		return c.alive.Load() <= n
	})
}

// TestWhoGaveUpIsForgotten has many clients write large values with short
// deadlines to a zkine whose ZooKeeper hangs, again and again: what waits is
// never more than what clients wait for, nothing of those who have gone is
// referenced but for the batches that were handed to the log, and nothing at all
// once ZooKeeper is back.
func TestWhoGaveUpIsForgotten(t *testing.T) {
	server := zktest.Start(t)
	b := openOn(t, dialer(server.Addr()), "a")
	put(t, b, "before", "v")
	server.Pause()
	const writers, rounds, size = 48, 10, 1 << 20
	var requests counted
	var most atomic.Int64
	for range rounds {
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				defer cancel()
				_, err := b.Put(ctx, requests.put(fmt.Sprint("k", i), size))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				_, bytes := b.Queued()
				most.Store(max(most.Load(), int64(bytes)))
			})
		}
		wg.Wait()
		count, bytes := b.Queued()
		require.Zero(t, count)
		require.Zero(t, bytes)
	}
	require.LessOrEqual(t, most.Load(), int64(writers*(size+8<<10)))
	// Each append that is under way holds one request of this size.
	requests.atMost(t, backend.DefaultMaxInFlight)
	server.Resume()
	put(t, b, "after", "v")
	requests.atMost(t, 0)
}

// TestTooMuchWaitingIsRefused fills what may wait: who comes then hears so at
// once, and the others get their answers when ZooKeeper is back.
func TestTooMuchWaitingIsRefused(t *testing.T) {
	server := zktest.Start(t)
	b := openOn(t, dialer(server.Addr()), "a")
	put(t, b, "before", "v")
	server.Pause()
	const size = 32 << 20
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var refused atomic.Int64
	for range 2*backend.MaxQueuedBytes/size + backend.DefaultMaxInFlight {
		wg.Go(func() {
			_, err := b.Put(ctx, &pb.PutRequest{Key: []byte("k"), Value: make([]byte, size)})
			if err == backend.ErrTooManyRequests {
				refused.Add(1)
				return
			}
			require.ErrorIs(t, err, context.Canceled)
		})
	}
	eventually(t, "as many as do not fit are refused", func() bool { return refused.Load() >= backend.MaxQueuedBytes/size })
	_, bytes := b.Queued()
	require.LessOrEqual(t, bytes, backend.MaxQueuedBytes)
	small := make(chan error, 1)
	go func() {
		_, err := b.Put(within(t), &pb.PutRequest{Key: []byte("small"), Value: []byte("v")})
		small <- err
	}()
	cancel()
	wg.Wait()
	server.Resume()
	require.NoError(t, <-small)
}

// TestKeepAlivesOfTheGoneAreForgotten: renewals share records and outlive any
// one client, but not all of them.
func TestKeepAlivesOfTheGoneAreForgotten(t *testing.T) {
	server := zktest.Start(t)
	b := openOn(t, dialer(server.Addr()), "a")
	put(t, b, "before", "v")
	server.Pause()
	// Each loop is kept busy with a request that fills a batch.
	for i := range backend.DefaultMaxInFlight + 1 {
		go b.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: make([]byte, 1<<20)}) //nolint:errcheck // it only has to be there
		eventually(t, "it was taken, or waits", func() bool { n, _ := b.Queued(); return b.UnderWay()+n == i+1 })
	}
	eventually(t, "all loops are at it", func() bool { return b.UnderWay() == backend.DefaultMaxInFlight })
	patient, leave := context.WithCancel(context.Background())
	var one, others sync.WaitGroup
	one.Go(func() { b.LeaseKeepAlive(patient, &pb.LeaseKeepAliveRequest{ID: 1}) }) //nolint:errcheck // it only has to be there
	eventually(t, "a renewal waits", func() bool { n, _ := b.Queued(); return n == 2 })
	for id := range int64(500) {
		others.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			b.LeaseKeepAlive(ctx, &pb.LeaseKeepAliveRequest{ID: id}) //nolint:errcheck // likewise
		})
	}
	others.Wait()
	n, _ := b.Queued()
	require.Equal(t, 2, n, "the write, and the renewal that somebody waits for")
	leave()
	one.Wait()
	server.Resume()
	put(t, b, "after", "v")
	n, _ = b.Queued()
	require.Zero(t, n)
}
