package backend_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/memzk"
)

// TestCloseWaitsForAllThatItEnds closes a backend whose queue and whose reads are
// full of calls, and looks for its goroutines at once.
func TestCloseWaitsForAllThatItEnds(t *testing.T) {
	e := memzk.New()
	b := openOn(t, e, "a")
	put(t, b, "k", "v")
	e.Stop()
	eventually(t, "not ready", func() bool { return b.Ready() != nil })
	const calls = 500
	ended := make(chan error, 2*calls)
	for i := range int64(calls) {
		go func() {
			_, err := b.LeaseKeepAlive(context.Background(), &pb.LeaseKeepAliveRequest{ID: i + 1})
			ended <- err
		}()
		go func() {
			_, err := b.Range(context.Background(), &pb.RangeRequest{Key: []byte("k")})
			ended <- err
		}()
	}
	eventually(t, "the calls wait", func() bool { count, _ := b.Queued(); return count == calls })
	require.NoError(t, b.Close())
	left := ours()
	require.Empty(t, left, strings.Join(left, "\n\n"))
	for range 2 * calls {
		require.ErrorIs(t, <-ended, backend.ErrClosed)
	}
}

// Who waits for a doubt, and does not ask, hears of an outage, and of the end.
func TestDoubted(t *testing.T) {
	e := memzk.New()
	b := openOn(t, e, "a")
	put(t, b, "k", "v")
	heard := func(of string) {
		t.Helper()
		select {
		case <-b.Doubted():
		case <-time.After(10 * time.Second):
			require.FailNow(t, "nothing was heard of "+of)
		}
	}
	e.Stop()
	heard("the outage")
	e.Start()
	eventually(t, "ready", func() bool { return b.Ready() == nil })
	select {
	case <-b.Doubted(): // of before
	default:
	}
	require.NoError(t, b.Close())
	heard("the end")
}
