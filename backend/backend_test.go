package backend_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/memzk"
)

func TestWritesAreReadBackEverywhere(t *testing.T) {
	e := memlog.New()
	a, b := openMem(t, e, "a"), openMem(t, e, "b")
	require.EqualValues(t, 1, get(t, a, "k").Header.Revision, "the empty store is at revision 1")
	for i := range int64(20) {
		writer, reader := a, b
		if i%2 == 1 {
			writer, reader = b, a
		}
		require.Equal(t, i+2, put(t, writer, "k", fmt.Sprint(i)))
		for _, r := range []*backend.Backend{reader, writer} {
			response := get(t, r, "k")
			require.Equal(t, i+2, response.Header.Revision)
			require.Equal(t, fmt.Sprint(i), string(response.Kvs[0].Value))
			require.Equal(t, i+1, response.Kvs[0].Version)
		}
	}
}

func TestRestartReplaysEverything(t *testing.T) {
	e := memlog.New()
	first := openMem(t, e, "a")
	for i := range 100 {
		put(t, first, fmt.Sprint("key", i%10), fmt.Sprint(i))
	}
	_, err := first.Compact(within(t), &pb.CompactionRequest{Revision: 50})
	require.NoError(t, err)
	before, err := first.Range(within(t), all())
	require.NoError(t, err)
	require.NoError(t, first.Close())

	second := openMem(t, e, "a")
	after, err := second.Range(within(t), all())
	require.NoError(t, err)
	require.Equal(t, before.String(), after.String())
	_, err = second.Range(within(t), &pb.RangeRequest{Key: []byte("key1"), Revision: 49})
	require.ErrorIs(t, err, state.ErrCompacted)
}

func TestUnevaluableRequestsAreAnswered(t *testing.T) {
	b := openMem(t, memlog.New(), "a")
	_, err := b.Put(within(t), &pb.PutRequest{Key: []byte("k"), Lease: 77})
	require.ErrorIs(t, err, state.ErrLeaseNotFound)
	_, err = b.LeaseRevoke(within(t), &pb.LeaseRevokeRequest{ID: 77})
	require.ErrorIs(t, err, state.ErrLeaseNotFound)
	_, err = b.Compact(within(t), &pb.CompactionRequest{Revision: 99})
	require.ErrorIs(t, err, state.ErrFutureRev)
	require.EqualValues(t, 1, b.Status().Revision)
}

func TestOutageAndReturn(t *testing.T) {
	e := memzk.New()
	b := openOn(t, e, "a")
	put(t, b, "k", "1")
	s := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte("k")})

	e.Stop()
	eventually(t, "not ready", func() bool { return b.Ready() != nil })
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := b.Put(short, &pb.PutRequest{Key: []byte("k"), Value: []byte("2")})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = b.Range(short, &pb.RangeRequest{Key: []byte("k")})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	response, err := b.Range(context.Background(), &pb.RangeRequest{Key: []byte("k"), Serializable: true})
	require.NoError(t, err, "serializable reads go on")
	require.Equal(t, "1", string(response.Kvs[0].Value))

	e.Start()
	rev := put(t, b, "k", "3")
	events := collect(t, s, rev)
	require.Equal(t, "3", string(events[len(events)-1].Kv.Value))
	eventually(t, "ready", func() bool { return b.Ready() == nil })
}

func TestLostRootStopsServing(t *testing.T) {
	e := memzk.New()
	b := openOn(t, e, "a")
	s := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte("k")})
	put(t, b, "x", "1")
	e.Remove("/zkine")
	e.Cut()
	<-b.Failed()
	require.Error(t, b.Ready())
	_, err := s.Next(within(t))
	require.Error(t, err)
	_, err = b.Put(within(t), &pb.PutRequest{Key: []byte("k")})
	require.ErrorContains(t, err, "the log went back")
}

// The owner of a backend is told why it failed, and says so; the backend does not
// log the same error besides.
func TestAFailureIsToldOnce(t *testing.T) {
	logger, logged := test.NewNullLogger()
	e := memzk.New()
	b := openWith(t, e, "a", func(c *backend.Config) { c.Log = logrus.NewEntry(logger) })
	e.Remove("/zkine")
	e.Cut()
	<-b.Failed()
	require.Error(t, b.Ready())
	for _, entry := range logged.AllEntries() {
		require.NotContains(t, entry.Data, logrus.ErrorKey, entry.Message)
	}
}

func TestNothingOutlivesClose(t *testing.T) {
	checkGoroutines(t, func() {
		e := memzk.New()
		b := openOn(t, e, "a")
		put(t, b, "k", "1")
		s := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte("k")})
		require.NoError(t, b.Close())
		_, err := s.Next(within(t))
		require.ErrorIs(t, err, backend.ErrClosed)
		_, err = b.Put(within(t), &pb.PutRequest{Key: []byte("k")})
		require.ErrorIs(t, err, backend.ErrClosed)
		_, err = b.Range(within(t), all())
		require.ErrorIs(t, err, backend.ErrClosed)
	})
}
