package v3rpc

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/server/servertest"
)

func created(id, rev int64) *pb.WatchResponse {
	return &pb.WatchResponse{Header: servertest.Header(rev), WatchId: id, Created: true}
}

func TestWatch(t *testing.T) {
	r := start(t)
	w := r.backend.Stream
	stream := r.WatchStream(t, ctxFor(t))
	require.NoError(t, stream.Send(servertest.CreateWatch("k")))
	require.Equal(t, "k", string((<-w.Did).(*pb.WatchCreateRequest).Key))
	require.NoError(t, stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}))
	require.Equal(t, "progress", <-w.Did)
	require.NoError(t, stream.Send(&pb.WatchRequest{})) // ignored
	require.NoError(t, stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: 3}}}))
	require.Equal(t, int64(3), <-w.Did)

	event := &mvccpb.Event{Kv: &mvccpb.KeyValue{Key: []byte("k"), ModRevision: 43}}
	sent := []*pb.WatchResponse{
		created(0, 42),
		{Header: servertest.Header(43), Events: []*mvccpb.Event{event}},
		{Header: servertest.Header(0), WatchId: 0, Canceled: true, CompactRevision: 40},
		{Header: servertest.Header(44), WatchId: -1},
	}
	for _, s := range sent {
		w.Out <- proto.Clone(s).(*pb.WatchResponse)
		got, err := stream.Recv()
		require.NoError(t, err)
		servertest.RequireHeader(t, s.Header.Revision, got.Header)
		got.Header = s.Header
		require.True(t, proto.Equal(s, got), "%v is not %v", got, s)
	}
}

// A client that has closed its side goes on receiving.
func TestWatchHalfClosed(t *testing.T) {
	r := start(t)
	stream := r.Established(t, ctxFor(t))
	require.NoError(t, stream.CloseSend())
	r.backend.Stream.Out <- &pb.WatchResponse{Header: servertest.Header(50), WatchId: -1}
	got, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, int64(50), got.Header.Revision)
}

// A watch stream that its client leaves is closed.
func TestWatchClientLeaves(t *testing.T) {
	r := start(t)
	ctx, cancel := context.WithCancel(context.Background())
	r.Established(t, ctx)
	require.Equal(t, 1.0, gauge(r.watchers))
	require.Equal(t, 1.0, gauge(r.watchStreams))
	cancel()
	<-r.backend.Stream.Closed
	require.Eventually(t, func() bool {
		return gauge(r.watchStreams) == 0 && gauge(r.watchers) == 0
	}, soon, 1)
}

// What ends a watch on the backend's side tells the client whether to resume.
func TestWatchBackendEnds(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{fmt.Errorf("closing: %w", revision.ErrClosed), rpctypes.ErrGRPCStopped},
		{context.Canceled, rpctypes.ErrGRPCWatchCanceled},
		{errors.New("nobody thought of it"), status.Error(codes.Unknown, "zkine: nobody thought of it")},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			r := start(t)
			stream := r.Established(t, ctxFor(t))
			r.backend.Stream.Broken <- c.err
			_, err := stream.Recv()
			requireStatus(t, c.want, err)
			<-r.backend.Stream.Closed
		})
	}
}

func TestWatchFragments(t *testing.T) {
	r := start(t, func(c *Config) { c.FragmentBytes = 512<<10 + 1 })
	r.backend.Stream.Fragments = true
	stream := r.WatchStream(t, ctxFor(t))
	resp := &pb.WatchResponse{Header: servertest.Header(43)}
	for range 3 {
		resp.Events = append(resp.Events, &mvccpb.Event{Kv: &mvccpb.KeyValue{Key: []byte("k"), Value: make([]byte, 300<<10)}})
	}
	r.backend.Stream.Out <- resp
	for i := range 3 {
		got, err := stream.Recv()
		require.NoError(t, err)
		require.Len(t, got.Events, 1)
		require.Equal(t, i < 2, got.Fragment)
		servertest.RequireHeader(t, 43, got.Header)
	}
}

// The parts are as large as they may be and together the whole; compared with
// a slow way to cut them.
func TestSendFragments(t *testing.T) {
	resp := &pb.WatchResponse{Header: servertest.Header(43), WatchId: 7, CompactRevision: 1, CancelReason: "x"}
	for i := range 40 {
		resp.Events = append(resp.Events, &mvccpb.Event{Kv: &mvccpb.KeyValue{Key: []byte("k"), Value: make([]byte, i*i%131)}})
	}
	for limit := 1; limit < proto.Size(resp)+10; limit += 3 {
		var parts []*pb.WatchResponse
		require.NoError(t, sendFragments(resp, limit, func(p *pb.WatchResponse) error {
			parts = append(parts, p)
			return nil
		}))
		require.Equal(t, slowFragments(resp, limit), sizes(parts), "limit %d", limit)
		var events []*mvccpb.Event
		for i, p := range parts {
			events = append(events, p.Events...)
			require.Equal(t, i < len(parts)-1, p.Fragment)
			require.Equal(t, int64(7), p.WatchId)
		}
		require.Equal(t, resp.Events, events)
	}
	failure := errors.New("gone")
	require.ErrorIs(t, sendFragments(resp, 1, func(*pb.WatchResponse) error { return failure }), failure)
}

func sizes(parts []*pb.WatchResponse) (n []int) {
	for _, p := range parts {
		n = append(n, len(p.Events))
	}
	return n
}

func slowFragments(resp *pb.WatchResponse, limit int) (n []int) {
	if proto.Size(resp) < limit {
		return []int{len(resp.Events)}
	}
	part := proto.Clone(resp).(*pb.WatchResponse)
	part.Events, part.Fragment = nil, true
	for _, e := range resp.Events {
		part.Events = append(part.Events, e)
		if len(part.Events) > 1 && proto.Size(part) >= limit {
			n = append(n, len(part.Events)-1)
			part.Events = []*mvccpb.Event{e}
		}
	}
	return append(n, len(part.Events))
}
