package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// watchStream is a plain watch stream, on which requests are sent and answers received one by one.
type watchStream struct {
	t      *testing.T
	stream pb.Watch_WatchClient
}

func openWatch(t *testing.T, endpoint string) *watchStream {
	t.Helper()
	stream, err := pb.NewWatchClient(dial(t, endpoint)).Watch(within(t))
	require.NoError(t, err)
	return &watchStream{t, stream}
}

func (w *watchStream) create(r *pb.WatchCreateRequest) *pb.WatchResponse {
	w.t.Helper()
	require.NoError(w.t, w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}))
	response := w.next()
	require.True(w.t, response.Created)
	return response
}

func (w *watchStream) cancel(id int64) *pb.WatchResponse {
	w.t.Helper()
	require.NoError(w.t, w.stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{
		CancelRequest: &pb.WatchCancelRequest{WatchId: id},
	}}))
	response := w.next()
	require.True(w.t, response.Canceled)
	require.Equal(w.t, id, response.WatchId)
	return response
}

func (w *watchStream) requestProgress() {
	w.t.Helper()
	require.NoError(w.t, w.stream.Send(progressRequest()))
}

func progressRequest() *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}
}

func (w *watchStream) next() *pb.WatchResponse {
	w.t.Helper()
	response, err := w.stream.Recv()
	require.NoError(w.t, err)
	return response
}

func mustPut(t *testing.T, c *clientv3.Client, key, value string) int64 {
	t.Helper()
	response, err := c.Put(within(t), key, value)
	require.NoError(t, err)
	return response.Header.Revision
}

func TestRequestProgress(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c, w := client(t, endpoint), openWatch(t, endpoint)
		mustPut(t, c, "k", "1")
		w.requestProgress() // no answer: nothing is watched
		require.Equal(t, int64(2), w.create(&pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 2}).Header.Revision)
		require.Len(t, w.next().Events, 1)
		var progress *pb.WatchResponse
		for rev := mustPut(t, c, "other", "2"); progress.GetHeader().GetRevision() < rev; {
			w.requestProgress() // as Kubernetes does, again and again: a watcher may not have come so far yet
			progress = w.next()
			require.Equal(t, int64(-1), progress.WatchId)
			require.Empty(t, progress.Events)
		}
		require.Equal(t, int64(3), progress.Header.Revision)
	})
}

// TestProgressFollowsEvents asks for progress while events come in: no event at or below a progress comes after it, and
// none above it before: kube-apiserver would take its cache for older than it is.
func TestProgressFollowsEvents(t *testing.T) {
	endpoint := rigtest.Start(t).Endpoint
	c, w := client(t, endpoint), openWatch(t, endpoint)
	w.create(&pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("l"), StartRevision: 1})
	const puts = 300
	done := make(chan error, 1)
	go func() {
		for i := range puts {
			if _, err := c.Put(within(t), fmt.Sprint("k", i%7), ""); err != nil {
				done <- err
				return
			}
			if err := w.stream.Send(progressRequest()); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	events, promised := 0, int64(0)
	for events < puts {
		response := w.next()
		for _, e := range response.Events {
			events++
			require.Greater(t, e.Kv.ModRevision, promised)
			require.Equal(t, int64(events+1), e.Kv.ModRevision)
		}
		if response.WatchId == -1 {
			promised = response.Header.Revision
			require.Equal(t, int64(events+1), promised, "the promise is not about what was delivered before it")
		}
	}
	require.NoError(t, <-done)
}

func TestPeriodicProgress(t *testing.T) {
	endpoint := rigtest.Start(t, "--watch-progress-notify-interval=100ms").Endpoint
	c := client(t, endpoint)
	watch := c.Watch(within(t), "k", clientv3.WithProgressNotify())
	rev := mustPut(t, c, "other", "")
	for response := range watch {
		require.NoError(t, response.Err())
		require.True(t, response.IsProgressNotify())
		if response.Header.Revision == rev {
			return
		}
	}
	t.Fatal("the watch ended")
}

func TestClientChosenWatchIDs(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c, w := client(t, endpoint), openWatch(t, endpoint)
		key := []byte("k")
		require.Equal(t, int64(1), w.create(&pb.WatchCreateRequest{Key: key, WatchId: 1}).WatchId)
		require.Equal(t, int64(0), w.create(&pb.WatchCreateRequest{Key: key}).WatchId)
		require.Equal(t, int64(2), w.create(&pb.WatchCreateRequest{Key: key}).WatchId)
		require.Equal(t, int64(-7), w.create(&pb.WatchCreateRequest{Key: key, WatchId: -7}).WatchId)
		taken := w.create(&pb.WatchCreateRequest{Key: key, WatchId: 2})
		require.True(t, taken.Canceled)
		require.Equal(t, int64(-1), taken.WatchId)
		require.Equal(t, "mvcc: duplicate watch ID provided on the WatchStream", taken.CancelReason)
		w.cancel(2)
		require.Equal(t, int64(2), w.create(&pb.WatchCreateRequest{Key: key, WatchId: 2}).WatchId)

		mustPut(t, c, "k", "v")
		heard := map[int64]bool{}
		for range 4 {
			heard[w.next().WatchId] = true
		}
		require.Equal(t, map[int64]bool{0: true, 1: true, 2: true, -7: true}, heard)

		empty := w.create(&pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: []byte("a")})
		require.True(t, empty.Canceled)
		require.Equal(t, "mvcc: watcher range is empty", empty.CancelReason)
	})
}

// TestFragments has one revision whose response is larger than what gRPC takes by default.
func TestFragments(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c, w := client(t, endpoint), openWatch(t, endpoint)
		const keys, size = 10, 140_000
		for range 2 {
			var puts []clientv3.Op
			for i := range keys {
				puts = append(puts, clientv3.OpPut(fmt.Sprint("k", i), strings.Repeat(fmt.Sprint(i), size)))
			}
			_, err := c.Txn(within(t)).Then(puts...).Commit()
			require.NoError(t, err)
		}
		create := &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("l"), StartRevision: 3, PrevKv: true}
		w.create(create)
		whole := w.next()
		require.False(t, whole.Fragment)
		require.Len(t, whole.Events, keys)
		w.cancel(0)

		create.Fragment = true
		w.create(create)
		var events []*mvccpb.Event
		for fragment := true; fragment; {
			part := w.next()
			fragment = part.Fragment
			require.Equal(t, int64(1), part.WatchId)
			require.Less(t, len(part.Events), keys)
			events = append(events, part.Events...)
		}
		require.Len(t, events, keys)
		for i, e := range events {
			require.Equal(t, fmt.Sprint("k", i), string(e.Kv.Key))
			require.Equal(t, strings.Repeat(fmt.Sprint(i), size), string(e.PrevKv.Value))
		}
	})
}

func TestLeaseExpiryDeletesInOneRevision(t *testing.T) {
	t.Parallel() // it waits, most of the time
	onBoth(t, func(t *testing.T, endpoint string) {
		c := client(t, endpoint)
		began := time.Now()
		lease, err := c.Grant(within(t), 2)
		require.NoError(t, err)
		other, err := c.Grant(within(t), 600)
		require.NoError(t, err)
		for _, key := range []string{"k3", "k1", "k2", "kept"} {
			_, err := c.Put(within(t), key, "", clientv3.WithLease(lease.ID))
			require.NoError(t, err)
		}
		_, err = c.Put(within(t), "kept", "", clientv3.WithLease(other.ID))
		require.NoError(t, err)
		response := <-c.Watch(within(t), "k", clientv3.WithPrefix(), clientv3.WithRev(7), clientv3.WithPrevKV())
		require.NoError(t, response.Err())
		require.GreaterOrEqual(t, time.Since(began), 2*time.Second)
		var deleted []string
		for _, e := range response.Events {
			require.Equal(t, mvccpb.Event_DELETE, e.Type)
			require.Equal(t, int64(7), e.Kv.ModRevision)
			require.Equal(t, int64(lease.ID), e.PrevKv.Lease)
			deleted = append(deleted, string(e.Kv.Key))
		}
		require.Equal(t, []string{"k1", "k2", "k3"}, deleted)
	})
}
