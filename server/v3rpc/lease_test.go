package v3rpc

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/server/servertest"
)

// Renewals run at the same time, and are answered in the order of the requests.
func TestKeepAliveOrder(t *testing.T) {
	r := start(t)
	const n = keepalivesInFlight
	arrived, release := make(chan int64, n), make(chan struct{})
	r.backend.SetAnswer(func(_ context.Context, req any) (any, error) {
		id := req.(*pb.LeaseKeepAliveRequest).ID
		arrived <- id
		if id == 0 {
			<-release
		}
		return nil, nil
	})
	stream := r.KeepAlive(t, ctxFor(t))
	for id := range int64(n) {
		require.NoError(t, stream.Send(&pb.LeaseKeepAliveRequest{ID: id}))
	}
	for range n {
		<-arrived // all of them, though none was answered
	}
	close(release)
	for id := range int64(n) {
		resp, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, id, resp.ID)
		require.Equal(t, int64(60), resp.TTL)
		servertest.RequireHeader(t, 14, resp.Header)
	}
	require.NoError(t, stream.CloseSend())
	_, err := stream.Recv()
	require.ErrorIs(t, err, io.EOF)
}

func TestKeepAliveError(t *testing.T) {
	r := start(t)
	r.backend.Fail(revision.ErrUnknown)
	stream := r.KeepAlive(t, ctxFor(t))
	require.NoError(t, stream.Send(&pb.LeaseKeepAliveRequest{ID: 1}))
	_, err := stream.Recv()
	requireStatus(t, rpctypes.ErrGRPCTimeout, err)
}

// A renewal has a time limit, though its stream has none.
func TestKeepAliveTimeout(t *testing.T) {
	r := start(t, func(c *Config) { c.RequestTimeout = 1 })
	r.backend.SetAnswer(func(ctx context.Context, _ any) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	stream := r.KeepAlive(t, ctxFor(t))
	require.NoError(t, stream.Send(&pb.LeaseKeepAliveRequest{ID: 1}))
	_, err := stream.Recv()
	requireStatus(t, rpctypes.ErrGRPCTimeout, err)
}

// A client that leaves ends the renewals under way.
func TestKeepAliveClientLeaves(t *testing.T) {
	r := start(t)
	arrived, ended := make(chan struct{}), make(chan struct{})
	r.backend.SetAnswer(func(ctx context.Context, _ any) (any, error) {
		close(arrived)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(context.Background())
	require.NoError(t, r.KeepAlive(t, ctx).Send(&pb.LeaseKeepAliveRequest{ID: 1}))
	<-arrived
	cancel()
	<-ended
}

func TestTimeToLiveOfUnknownLease(t *testing.T) {
	r := start(t)
	r.backend.Fail(state.ErrLeaseNotFound)
	resp, err := pb.NewLeaseClient(r.Conn).LeaseTimeToLive(ctxFor(t), &pb.LeaseTimeToLiveRequest{ID: 5})
	require.NoError(t, err)
	require.Equal(t, int64(-1), resp.TTL)
	require.Equal(t, int64(5), resp.ID)
	servertest.RequireHeader(t, 42, resp.Header)
}
