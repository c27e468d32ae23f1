package server

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Each sentinel as etcd says it, spelled out and not taken from rpctypes.
var errorCases = []struct {
	err  error
	code codes.Code
	text string
}{
	{state.ErrCompacted, codes.OutOfRange, "etcdserver: mvcc: required revision has been compacted"},
	{state.ErrFutureRev, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision"},
	{state.ErrKeyNotFound, codes.InvalidArgument, "etcdserver: key not found"},
	{state.ErrLeaseNotFound, codes.NotFound, "etcdserver: requested lease not found"},
	{state.ErrLeaseExists, codes.FailedPrecondition, "etcdserver: lease already exists"},
	{state.ErrLeaseTTLTooLarge, codes.OutOfRange, "etcdserver: too large lease TTL"},
	{state.ErrNoSpace, codes.ResourceExhausted, "etcdserver: mvcc: database space exceeded"},
	{state.ErrCorrupt, codes.DataLoss, "etcdserver: corrupt cluster"},
	{state.ErrMalformed, codes.InvalidArgument, "zkine: malformed request"},
	{state.ErrEvaluation, codes.Internal, "zkine: the request could not be evaluated, and had no effect"},
	{state.ErrTooManyCompared, codes.InvalidArgument, "etcdserver: too many operations in txn request"},
	{state.ErrAnswerTooLarge, codes.ResourceExhausted, "zkine: the answer to the transaction would take more than 512 MiB, and it had no effect; ask for less at once"},
	{state.ErrUnanswered, codes.ResourceExhausted, "zkine: the transaction took effect, but its answer takes more than 512 MiB"},
	{state.ErrAnswerFailed, codes.Internal, "zkine: the request took effect, but its answer could not be built"},
	{state.ErrUnknownRequest, codes.Unavailable, "etcdserver: server stopped"},
	{revision.ErrUnknown, codes.Unavailable, "etcdserver: request timed out"},
	{revision.ErrUnavailable, codes.Unavailable, "etcdserver: no leader"},
	{revision.ErrTooLarge, codes.InvalidArgument, "etcdserver: request is too large"},
	{revision.ErrClosed, codes.Unavailable, "etcdserver: server stopped"},
	{backend.ErrClosed, codes.Unavailable, "etcdserver: server stopped"},
	{backend.ErrTooManyRequests, codes.ResourceExhausted, "etcdserver: too many requests"},
	{revision.ErrForeignRoot, codes.Unavailable, "etcdserver: server stopped"},
	{revision.ErrNewerFormat, codes.Unavailable, "etcdserver: server stopped"},
	{revision.ErrLogLost, codes.Unavailable, "etcdserver: server stopped"},
	{revision.ErrNameTaken, codes.Unavailable, "etcdserver: server stopped"},
	{revision.ErrCorrupt, codes.DataLoss, "etcdserver: corrupt cluster"},
	{context.Canceled, codes.Canceled, "context canceled"},
	{context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded"},
	{errRequestTimeout, codes.Unavailable, "etcdserver: request timed out"},
	{status.Error(codes.Aborted, "as it is"), codes.Aborted, "as it is"},
	{errors.New("nobody thought of it"), codes.Unavailable, "zkine: while testing: nobody thought of it"},
}

func TestErrors(t *testing.T) {
	r := start(t)
	for _, c := range errorCases {
		t.Run(c.err.Error(), func(t *testing.T) {
			err := fmt.Errorf("while testing: %w", c.err)
			if _, ok := status.FromError(c.err); ok {
				err = c.err
			}
			r.backend.fail(err)
			_, got := r.send(ctxFor(t), &pb.PutRequest{Key: []byte("k")})
			requireStatus(t, status.Error(c.code, c.text), got)
		})
	}
	require.NoError(t, toGRPC(context.Background(), nil))
}

// An outcome that is unknown stays unknown, even if the context's end is what
// made it so.
func TestUnknownOutcomeBeforeContext(t *testing.T) {
	err := errors.Join(context.DeadlineExceeded, revision.ErrUnknown)
	requireStatus(t, rpctypes.ErrGRPCTimeout, toGRPC(context.Background(), err))
}

// What has no answer is logged, once.
func TestUnforeseenIsLogged(t *testing.T) {
	r := start(t)
	r.backend.fail(errors.New("nobody thought of it"))
	_, err := r.send(ctxFor(t), &pb.PutRequest{Key: []byte("k"), Value: []byte("secret")})
	require.Equal(t, codes.Unavailable, status.Code(err))
	entries := r.logged(logrus.ErrorLevel)
	require.Len(t, entries, 1)
	require.Equal(t, "/etcdserverpb.KV/Put", entries[0].Data["method"])
	text, err := entries[0].String()
	require.NoError(t, err)
	require.NotContains(t, text, "secret")
}
