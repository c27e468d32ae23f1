package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/server/servertest"
)

// From max-request-bytes up it is etcd's error, above gRPC's limit it is gRPC's.
func TestRequestTooLarge(t *testing.T) {
	r := start(t)
	value := func(n int) []byte { return []byte(strings.Repeat("v", n)) }
	write := &pb.PutRequest{Key: []byte("k"), Value: value(DefaultMaxRequestBytes)}
	_, err := r.Send(ctxFor(t), write)
	requireStatus(t, rpctypes.ErrGRPCRequestTooLarge, err)
	_, err = r.Send(ctxFor(t), &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: write}}}})
	requireStatus(t, rpctypes.ErrGRPCRequestTooLarge, err)
	_, err = r.Send(ctxFor(t), &pb.DeleteRangeRequest{Key: value(DefaultMaxRequestBytes)})
	requireStatus(t, rpctypes.ErrGRPCRequestTooLarge, err)
	require.Empty(t, r.backend.Requests())

	// Reads do not go into etcd's log, and are not measured.
	_, err = r.Send(ctxFor(t), &pb.RangeRequest{Key: value(DefaultMaxRequestBytes)})
	require.NoError(t, err)
	_, err = r.Send(ctxFor(t), &pb.PutRequest{Key: []byte("k"), Value: value(DefaultMaxRequestBytes - 100)})
	require.NoError(t, err)

	tooLarge := &pb.PutRequest{Key: []byte("k"), Value: value(2 << 20)}
	_, err = r.Send(ctxFor(t), tooLarge)
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	require.Contains(t, err.Error(), "received message larger than max (2097160 vs. 2097152)")
}

// A call without a deadline of its own ends after RequestTimeout; one whose
// client has given up gets gRPC's answer.
func TestRequestTimeout(t *testing.T) {
	r := start(t, func(c *Config) { c.RequestTimeout = 1 })
	r.backend.SetAnswer(func(ctx context.Context, _ any) (any, error) {
		<-ctx.Done()
		return nil, errors.Join(errors.New("waiting for the log"), ctx.Err())
	})
	_, err := r.Send(context.Background(), &pb.PutRequest{Key: []byte("k")})
	requireStatus(t, rpctypes.ErrGRPCTimeout, err)
}

// RequestTimeout bounds how long a compaction may take to get into the log, and
// not how long a physical one then waits.
func TestPhysicalCompaction(t *testing.T) {
	r := start(t, func(c *Config) { c.RequestTimeout = time.Millisecond })
	physical := &pb.CompactionRequest{Revision: 5, Physical: true}
	bounded := make(chan bool, 1)
	r.backend.SetAnswer(func(ctx context.Context, req any) (any, error) {
		if _, waiting := req.(servertest.CompactedPhysically); waiting {
			_, deadline := ctx.Deadline()
			bounded <- deadline
		}
		return nil, nil
	})
	h, err := r.Send(context.Background(), physical)
	require.NoError(t, err)
	servertest.RequireHeader(t, 42, h)
	require.Equal(t, servertest.CompactedPhysically(5), r.backend.Requests()[1])
	require.False(t, <-bounded)
	_, err = r.Send(ctxFor(t), &pb.CompactionRequest{Revision: 6})
	require.NoError(t, err)
	require.Len(t, r.backend.Requests(), 3, "no wait for one that is not physical")

	never := func(ctx context.Context, _ any) (any, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	r.backend.SetAnswer(never)
	for _, req := range []*pb.CompactionRequest{physical, {Revision: 5}} {
		_, err = r.Send(ctxFor(t), req)
		requireStatus(t, rpctypes.ErrGRPCTimeout, err)
	}

	// A wait ends with the server.
	waits := make(chan struct{})
	r.backend.SetAnswer(func(ctx context.Context, req any) (any, error) {
		if _, waiting := req.(servertest.CompactedPhysically); !waiting {
			return nil, nil
		}
		close(waits)
		return never(ctx, req)
	})
	ended := make(chan error, 1)
	go func() {
		_, err := r.Send(context.Background(), physical)
		ended <- err
	}()
	<-waits
	require.NoError(t, r.Stop(ctxFor(t)))
	requireStatus(t, rpctypes.ErrGRPCStopped, <-ended)
}

// A request that gRPC refuses ends the stream with gRPC's reason.
func TestWatchRequestTooLarge(t *testing.T) {
	r := start(t)
	stream := r.Established(t, ctxFor(t))
	require.NoError(t, stream.Send(servertest.CreateWatch(strings.Repeat("k", 2<<20))))
	_, err := stream.Recv()
	require.Equal(t, codes.ResourceExhausted, status.Code(err), err)
}

// What has no answer is logged, once.
func TestUnforeseenIsLogged(t *testing.T) {
	r := start(t)
	r.backend.Fail(errors.New("nobody thought of it"))
	_, err := r.Send(ctxFor(t), &pb.PutRequest{Key: []byte("k"), Value: []byte("secret")})
	require.Equal(t, codes.Unknown, status.Code(err))
	entries := r.logged(logrus.ErrorLevel)
	require.Len(t, entries, 1)
	require.Equal(t, "/etcdserverpb.KV/Put", entries[0].Data["method"])
	text, err := entries[0].String()
	require.NoError(t, err)
	require.NotContains(t, text, "secret")
}

// No quota is told as an etcd tells it whose quota was disabled.
func TestStatusWithoutQuota(t *testing.T) {
	r := start(t)
	r.backend.Stands.Quota = -1
	resp, err := pb.NewMaintenanceClient(r.Conn).Status(ctxFor(t), &pb.StatusRequest{})
	require.NoError(t, err)
	require.Equal(t, int64(-1), resp.DbSizeQuota)
	_, metrics := r.ask(t, "/metrics")
	require.Contains(t, metrics, "etcd_server_quota_backend_bytes -1\n")
}

// The database of a snapshot says that it is of the version that clients are told.
func TestSnapshotVersion(t *testing.T) {
	require.Equal(t, Config{Version: DefaultVersion}.minorVersion(), etcddb.Version)
}
