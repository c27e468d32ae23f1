package watch

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// patience bounds each wait of a test; none is expected to come near.
const patience = 30 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// store is a state machine without a log, and a hub that follows it. One goroutine
// writes.
type store struct {
	*Hub
	machine *state.Machine
	view    atomic.Pointer[state.View]
}

func newStore(t testing.TB) *store {
	s := &store{machine: state.New()}
	s.view.Store(s.machine.View())
	s.Hub = NewHub(s.view.Load, s.view.Load().Rev(), time.Minute)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return s
}

// apply evaluates a request in a slot of its own, and publishes the view.
func (s *store) apply(t testing.TB, r *recordpb.Request) state.Result {
	t.Helper()
	seq := s.view.Load().Seq()
	applied := s.machine.Apply(revision.Slot{Seq: revision.Seq{Segment: 1, Slot: seq.Slot + 1},
		Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{r}})
	require.NoError(t, applied.Results[0].Err)
	s.view.Store(s.machine.View())
	s.Wake()
	return applied.Results[0]
}

func (s *store) deleteRange(t testing.TB, key, end string) {
	t.Helper()
	s.apply(t, &recordpb.Request{Kind: &recordpb.Request_DeleteRange{
		DeleteRange: &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}}})
}

func (s *store) compact(t testing.TB, rev int64) {
	t.Helper()
	s.apply(t, &recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: rev}}})
}

func put(t testing.TB, s *store, key, value string) int64 {
	t.Helper()
	result := s.apply(t, &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte(key), Value: []byte(value)}}})
	return result.Response.(*pb.PutResponse).Header.Revision
}

// next returns the stream's next response.
func next(t testing.TB, s Stream) *pb.WatchResponse {
	t.Helper()
	response, err := s.Next(within(t))
	require.NoError(t, err)
	return response
}

func watch(t testing.TB, b *store, r *pb.WatchCreateRequest) Stream {
	t.Helper()
	s := b.Open()
	t.Cleanup(s.Close)
	s.Create(r)
	created := next(t, s)
	require.True(t, created.Created)
	require.False(t, created.Canceled, created.CancelReason)
	return s
}

// collect reads events until one is at or after rev.
func collect(t testing.TB, s Stream, rev int64) (events []*mvccpb.Event) {
	t.Helper()
	for len(events) == 0 || events[len(events)-1].Kv.ModRevision < rev {
		response := next(t, s)
		require.False(t, response.Canceled)
		events = append(events, response.Events...)
	}
	return events
}

func show(events []*mvccpb.Event) (out []string) {
	for _, e := range events {
		out = append(out, fmt.Sprintf("%d %v %s=%s prev=%s", e.Kv.ModRevision, e.Type, e.Kv.Key, e.Kv.Value, e.PrevKv.GetValue()))
	}
	return out
}
