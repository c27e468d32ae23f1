package server

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// send calls the RPC that takes m.
func (r *running) send(ctx context.Context, m proto.Message) (header *pb.ResponseHeader, err error) {
	kv, lease := pb.NewKVClient(r.conn), pb.NewLeaseClient(r.conn)
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
			before := len(r.backend.requests())
			_, err := r.send(ctxFor(t), c.req)
			requireAnswer(t, c.code, c.text, err)
			if c.text != "" {
				require.Len(t, r.backend.requests(), before)
				return
			}
			got := r.backend.requests()[before].(proto.Message)
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
		got, err := r.send(ctxFor(t), c.req)
		require.NoError(t, err)
		requireHeader(t, c.rev, got)
	}
	resp, err := pb.NewKVClient(r.conn).Txn(ctxFor(t), &pb.TxnRequest{})
	require.NoError(t, err)
	nested := resp.Responses[0].GetResponseTxn().Header
	require.True(t, proto.Equal(&pb.ResponseHeader{}, nested), "nested headers are the backend's: %v", nested)
}

func requireHeader(t *testing.T, rev int64, got *pb.ResponseHeader) {
	t.Helper()
	want := &pb.ResponseHeader{ClusterId: fakeClusterID, MemberId: fakeMemberID, Revision: rev, RaftTerm: 9}
	require.True(t, proto.Equal(want, got), "%v is not %v", got, want)
}

func TestRangeStream(t *testing.T) {
	r := start(t)
	stream, err := pb.NewKVClient(r.conn).RangeStream(ctxFor(t), &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	first, err := stream.Recv()
	require.NoError(t, err)
	require.Nil(t, first.RangeResponse.Header, "only the last chunk has a header")
	last, err := stream.Recv()
	require.NoError(t, err)
	requireHeader(t, 0, last.RangeResponse.Header) // the backend's revision stays
	_, err = stream.Recv()
	require.ErrorIs(t, err, io.EOF)

	stream, err = pb.NewKVClient(r.conn).RangeStream(ctxFor(t), &pb.RangeRequest{Key: []byte("k"), MinModRevision: 1})
	require.NoError(t, err)
	_, err = stream.Recv()
	requireStatus(t, status.Error(codes.Unimplemented, "RangeStream does not support revision filters"), err)
}

// A RangeStream whose state does not become current in time is told so.
func TestRangeStreamTimeout(t *testing.T) {
	r := start(t, func(c *Config) { c.RequestTimeout = 1 })
	r.backend.setAnswer(func(ctx context.Context, _ any) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	stream, err := pb.NewKVClient(r.conn).RangeStream(ctxFor(t), &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	_, err = stream.Recv()
	requireStatus(t, rpctypes.ErrGRPCTimeout, err)
}

// From max-request-bytes up it is etcd's error, above gRPC's limit it is gRPC's.
func TestRequestTooLarge(t *testing.T) {
	r := start(t)
	value := func(n int) []byte { return []byte(strings.Repeat("v", n)) }
	write := &pb.PutRequest{Key: []byte("k"), Value: value(DefaultMaxRequestBytes)}
	_, err := r.send(ctxFor(t), write)
	requireStatus(t, rpctypes.ErrGRPCRequestTooLarge, err)
	_, err = r.send(ctxFor(t), txn(&pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: write}}))
	requireStatus(t, rpctypes.ErrGRPCRequestTooLarge, err)
	_, err = r.send(ctxFor(t), &pb.DeleteRangeRequest{Key: value(DefaultMaxRequestBytes)})
	requireStatus(t, rpctypes.ErrGRPCRequestTooLarge, err)
	require.Empty(t, r.backend.requests())

	// Reads do not go into etcd's log, and are not measured.
	_, err = r.send(ctxFor(t), &pb.RangeRequest{Key: value(DefaultMaxRequestBytes)})
	require.NoError(t, err)
	_, err = r.send(ctxFor(t), &pb.PutRequest{Key: []byte("k"), Value: value(DefaultMaxRequestBytes - 100)})
	require.NoError(t, err)

	tooLarge := &pb.PutRequest{Key: []byte("k"), Value: value(2 << 20)}
	_, err = r.send(ctxFor(t), tooLarge)
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	require.Contains(t, err.Error(), "received message larger than max (2097160 vs. 2097152)")
}

// A call without a deadline of its own ends after RequestTimeout; one whose
// client has given up gets gRPC's answer.
func TestRequestTimeout(t *testing.T) {
	r := start(t, func(c *Config) { c.RequestTimeout = 1 })
	r.backend.setAnswer(func(ctx context.Context, _ any) (any, error) {
		<-ctx.Done()
		return nil, errors.Join(errors.New("waiting for the log"), ctx.Err())
	})
	_, err := r.send(context.Background(), &pb.PutRequest{Key: []byte("k")})
	requireStatus(t, rpctypes.ErrGRPCTimeout, err)
}

// RequestTimeout bounds how long a compaction may take to get into the log, and
// not how long a physical one then waits.
func TestPhysicalCompaction(t *testing.T) {
	r := start(t, func(c *Config) { c.RequestTimeout = time.Millisecond })
	physical := &pb.CompactionRequest{Revision: 5, Physical: true}
	bounded := make(chan bool, 1)
	r.backend.setAnswer(func(ctx context.Context, req any) (any, error) {
		if _, waiting := req.(scavenged); waiting {
			_, deadline := ctx.Deadline()
			bounded <- deadline
		}
		return nil, nil
	})
	h, err := r.send(context.Background(), physical)
	require.NoError(t, err)
	requireHeader(t, 42, h)
	require.Equal(t, scavenged(5), r.backend.requests()[1])
	require.False(t, <-bounded)
	_, err = r.send(ctxFor(t), &pb.CompactionRequest{Revision: 6})
	require.NoError(t, err)
	require.Len(t, r.backend.requests(), 3, "no wait for one that is not physical")

	never := func(ctx context.Context, _ any) (any, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	r.backend.setAnswer(never)
	for _, req := range []*pb.CompactionRequest{physical, {Revision: 5}} {
		_, err = r.send(ctxFor(t), req)
		requireStatus(t, rpctypes.ErrGRPCTimeout, err)
	}

	// A wait ends with the server.
	waits := make(chan struct{})
	r.backend.setAnswer(func(ctx context.Context, req any) (any, error) {
		if _, waiting := req.(scavenged); !waiting {
			return nil, nil
		}
		close(waits)
		return never(ctx, req)
	})
	ended := make(chan error, 1)
	go func() {
		_, err := r.send(context.Background(), physical)
		ended <- err
	}()
	<-waits
	require.NoError(t, r.Stop(ctxFor(t)))
	requireStatus(t, rpctypes.ErrGRPCStopped, <-ended)
}
