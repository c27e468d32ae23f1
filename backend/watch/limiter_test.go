package watch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// More streams than there are turns are due, and nobody reads them.
func TestStreamsThatNobodyReadsTakeNoTurns(t *testing.T) {
	b := newStore(t)
	request := &pb.WatchCreateRequest{Key: []byte("k")}
	for range 64 * runtime.GOMAXPROCS(0) {
		unread := watch(t, b, request)
		put(t, b, "k", "v")
		require.Len(t, next(t, unread).Events, 1)
	}
	read := watch(t, b, request)
	last := put(t, b, "k", "v")
	require.Len(t, collect(t, read, last), 1)
}

// Clients come and go, with turns and in the queue for them, and go on where they
// left off. A turn that got lost would be missed by all at the end.
func TestTurnsSurviveClientsThatGiveUp(t *testing.T) {
	b := newStore(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const writes = 300
	clients := make([]restless, 40*runtime.GOMAXPROCS(0))
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range clients {
		c := &clients[i]
		*c = restless{store: b, rng: rand.New(rand.NewPCG(seed, uint64(i))), next: 2}
		c.open()
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					c.read(t.Context())
				}
			}
		})
	}
	for i := range writes {
		put(t, b, fmt.Sprint("k", i%7), "v")
	}
	close(stop)
	running.Wait()
	for i := range clients {
		c := &clients[i]
		for c.next < writes+2 {
			c.take(next(t, c.stream))
		}
		c.stream.Close()
		require.EqualValues(t, writes+2, c.next, "client %d", i)
	}
}

// restless is a client with little patience: it opens a new stream now and then.
type restless struct {
	store  *store
	rng    *rand.Rand
	stream Stream
	next   int64 // each revision has one event
}

func (c *restless) open() {
	c.stream = c.store.Open()
	c.stream.Create(&pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte{0}, StartRevision: c.next})
}

func (c *restless) read(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.rng.Int64N(int64(time.Millisecond))))
	defer cancel()
	response, err := c.stream.Next(ctx)
	switch {
	case err == nil:
		c.take(response)
	case c.rng.IntN(4) == 0:
		c.stream.Close()
		c.open()
	}
}

func (c *restless) take(response *pb.WatchResponse) {
	for _, e := range response.Events {
		if e.Kv.ModRevision != c.next {
			panic(fmt.Sprintf("revision %d came in place of %d", e.Kv.ModRevision, c.next))
		}
		c.next++
	}
}
