package servertest

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Client is a client of a server on a Backend.
type Client struct {
	Conn    *grpc.ClientConn
	backend *Backend
}

// NewClient makes a client of a server at addr that is on b.
func NewClient(t *testing.T, addr string, b *Backend) Client {
	t.Helper()
	return Client{Dial(t, addr), b}
}

// Dial connects to a server, for which calls wait; the caller closes the
// connection.
func Dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, a string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", a)
		}),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
	)
	require.NoError(t, err)
	return conn
}

// Send calls the RPC of KV or Lease that takes m.
func (c Client) Send(ctx context.Context, m proto.Message) (header *pb.ResponseHeader, err error) {
	kv, lease := pb.NewKVClient(c.Conn), pb.NewLeaseClient(c.Conn)
	var resp interface{ GetHeader() *pb.ResponseHeader }
	switch m := m.(type) {
	case *pb.RangeRequest:
		resp, err = kv.Range(ctx, m)
	case *pb.PutRequest:
		resp, err = kv.Put(ctx, m)
	case *pb.DeleteRangeRequest:
		resp, err = kv.DeleteRange(ctx, m)
	case *pb.TxnRequest:
		resp, err = kv.Txn(ctx, m)
	case *pb.CompactionRequest:
		resp, err = kv.Compact(ctx, m)
	case *pb.LeaseGrantRequest:
		resp, err = lease.LeaseGrant(ctx, m)
	case *pb.LeaseRevokeRequest:
		resp, err = lease.LeaseRevoke(ctx, m)
	case *pb.LeaseTimeToLiveRequest:
		resp, err = lease.LeaseTimeToLive(ctx, m)
	case *pb.LeaseLeasesRequest:
		resp, err = lease.LeaseLeases(ctx, m)
	}
	if err != nil {
		return nil, err
	}
	return resp.GetHeader(), nil
}

// KeepAlive opens a keepalive stream.
func (c Client) KeepAlive(t *testing.T, ctx context.Context) pb.Lease_LeaseKeepAliveClient {
	t.Helper()
	stream, err := pb.NewLeaseClient(c.Conn).LeaseKeepAlive(ctx)
	require.NoError(t, err)
	return stream
}

// WatchStream opens a watch stream.
func (c Client) WatchStream(t *testing.T, ctx context.Context) pb.Watch_WatchClient {
	t.Helper()
	stream, err := pb.NewWatchClient(c.Conn).Watch(ctx, grpc.WaitForReady(true))
	require.NoError(t, err)
	return stream
}

// Established makes a watch stream that certainly reached the backend.
func (c Client) Established(t *testing.T, ctx context.Context) pb.Watch_WatchClient {
	t.Helper()
	stream := c.WatchStream(t, ctx)
	require.NoError(t, stream.Send(CreateWatch("k")))
	c.backend.Stream.Out <- &pb.WatchResponse{Header: Header(42), Created: true}
	resp, err := stream.Recv()
	require.NoError(t, err)
	require.True(t, resp.Created)
	return stream
}

// CreateWatch is a request for a watcher of one key.
func CreateWatch(key string) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte(key)}}}
}

// RequireHeader checks that a header is that of a server on a Backend.
func RequireHeader(t *testing.T, rev int64, got *pb.ResponseHeader) {
	t.Helper()
	want := &pb.ResponseHeader{ClusterId: ClusterID, MemberId: MemberID, Revision: rev, RaftTerm: 9}
	require.True(t, proto.Equal(want, got), "%v is not %v", got, want)
}

// RequireStatus checks an error's code and text, word for word.
func RequireStatus(t *testing.T, want, got error) {
	t.Helper()
	require.Error(t, got)
	require.Equal(t, status.Code(want), status.Code(got), got)
	w, _ := status.FromError(want)
	g, _ := status.FromError(got)
	require.Equal(t, w.Message(), g.Message())
}
