package v3rpc

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/server/servertest"
)

// Every static refusal reaches the client with etcd's code and words, and not
// the backend; what is accepted reaches the backend.
func TestChecksThroughGRPC(t *testing.T) {
	r := start(t)
	for _, c := range checkCases {
		if txn, ok := c.req.(*pb.TxnRequest); ok && len(txn.Compare) > 1 {
			for i := range txn.Compare { // nil does not go over the wire
				txn.Compare[i] = &pb.Compare{}
			}
		}
		t.Run(c.name, func(t *testing.T) {
			before := len(r.backend.Requests())
			_, err := r.Send(ctxFor(t), c.req)
			requireAnswer(t, c.code, c.text, err)
			if c.text != "" {
				require.Len(t, r.backend.Requests(), before)
				return
			}
			got := r.backend.Requests()[before].(proto.Message)
			require.True(t, proto.Equal(c.req, got), "%v is not %v", got, c.req)
		})
	}
}

// A header has the member's identity always, and the current revision where
// the backend gave none.
func TestHeaders(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		req proto.Message
		rev int64
	}{
		{&pb.RangeRequest{Key: []byte("k")}, 11},
		{&pb.PutRequest{Key: []byte("k")}, 12},
		{&pb.DeleteRangeRequest{Key: []byte("k")}, 42},
		{&pb.TxnRequest{}, 13},
		{&pb.CompactionRequest{}, 42},
		{&pb.LeaseGrantRequest{TTL: 5}, 42},
		{&pb.LeaseRevokeRequest{ID: 5}, 42},
		{&pb.LeaseTimeToLiveRequest{ID: 5}, 42},
		{&pb.LeaseLeasesRequest{}, 42},
	} {
		got, err := r.Send(ctxFor(t), c.req)
		require.NoError(t, err)
		servertest.RequireHeader(t, c.rev, got)
	}
	resp, err := pb.NewKVClient(r.Conn).Txn(ctxFor(t), &pb.TxnRequest{})
	require.NoError(t, err)
	nested := resp.Responses[0].GetResponseTxn().Header
	require.True(t, proto.Equal(&pb.ResponseHeader{}, nested), "nested headers are the backend's: %v", nested)
}

func TestRangeStream(t *testing.T) {
	r := start(t)
	stream, err := pb.NewKVClient(r.Conn).RangeStream(ctxFor(t), &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	first, err := stream.Recv()
	require.NoError(t, err)
	require.Nil(t, first.RangeResponse.Header, "only the last chunk has a header")
	last, err := stream.Recv()
	require.NoError(t, err)
	servertest.RequireHeader(t, 0, last.RangeResponse.Header) // the backend's revision stays
	_, err = stream.Recv()
	require.ErrorIs(t, err, io.EOF)

	stream, err = pb.NewKVClient(r.Conn).RangeStream(ctxFor(t), &pb.RangeRequest{Key: []byte("k"), MinModRevision: 1})
	require.NoError(t, err)
	_, err = stream.Recv()
	requireStatus(t, status.Error(codes.Unimplemented, "RangeStream does not support revision filters"), err)
}

// A RangeStream whose state does not become current in time is told so.
func TestRangeStreamTimeout(t *testing.T) {
	r := start(t, func(c *Config) { c.RequestTimeout = 1 })
	r.backend.SetAnswer(func(ctx context.Context, _ any) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	stream, err := pb.NewKVClient(r.Conn).RangeStream(ctxFor(t), &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	_, err = stream.Recv()
	requireStatus(t, rpctypes.ErrGRPCTimeout, err)
}
