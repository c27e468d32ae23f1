package server

import (
	"context"
	"errors"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Errors of the facade itself, as causes of a context's end.
var (
	// errRequestTimeout is why a call's context ends when RequestTimeout is over.
	errRequestTimeout = errors.New("server: request timeout")
	// errStopped is why endless streams end when the server drains.
	errStopped = rpctypes.ErrGRPCStopped
)

// Answers that etcd has no words for.
var (
	errMalformed = status.Error(codes.InvalidArgument, "zkine: malformed request")
	// The code is gRPC's for a message that is too large to be sent, which is
	// what etcd's clients hear of an answer over 2 GiB.
	errAnswerTooLarge = status.Error(codes.ResourceExhausted, "zkine: the answer to the transaction would take more than 512 MiB, and it had no effect; ask for less at once")
	errUnanswered     = status.Error(codes.ResourceExhausted, "zkine: the transaction took effect, but its answer takes more than 512 MiB")
	errAnswerFailed   = status.Error(codes.Internal, "zkine: the request took effect, but its answer could not be built")
	errRefused        = status.Error(codes.FailedPrecondition, "zkine: ZooKeeper refuses the request, which had no effect; zkine's log says why")
	errForbidden      = status.Error(codes.PermissionDenied, "zkine: ZooKeeper does not let this zkine in; zkine's log says why")
	errEvaluation     = status.Error(codes.Internal, "zkine: the request could not be evaluated, and had no effect")
)

// answer is what etcd says to an error.
type answer struct{ sentinel, answer error }

// answers, and authAnswers, map sentinel errors to what etcd says. Clients go by the message as
// much as by the code, so both are etcd's, from rpctypes.
var answers = []answer{
	// First: the batch may be in the log, and clients must not take it for refused.
	{revision.ErrUnknown, rpctypes.ErrGRPCTimeout},
	{state.ErrCompacted, rpctypes.ErrGRPCCompacted},
	{state.ErrFutureRev, rpctypes.ErrGRPCFutureRev},
	{state.ErrKeyNotFound, rpctypes.ErrGRPCKeyNotFound},
	{state.ErrLeaseNotFound, rpctypes.ErrGRPCLeaseNotFound},
	{state.ErrLeaseExists, rpctypes.ErrGRPCLeaseExist},
	{state.ErrLeaseTTLTooLarge, rpctypes.ErrGRPCLeaseTTLTooLarge},
	{state.ErrNoSpace, rpctypes.ErrGRPCNoSpace},
	{state.ErrCorrupt, rpctypes.ErrGRPCCorrupt},
	// etcd itself would panic on these; the request had no effect.
	{state.ErrMalformed, errMalformed},
	{state.ErrEvaluation, errEvaluation},
	{state.ErrTooManyCompared, rpctypes.ErrGRPCTooManyOps},
	{state.ErrAnswerTooLarge, errAnswerTooLarge},
	{state.ErrUnanswered, errUnanswered},
	{state.ErrAnswerFailed, errAnswerFailed},

	{revision.ErrQuota, rpctypes.ErrGRPCNoSpace},
	{revision.ErrRefused, errRefused},
	{revision.ErrForbidden, errForbidden},
	{revision.ErrUnauthenticated, errForbidden},
	{revision.ErrUnavailable, rpctypes.ErrGRPCNoLeader},
	{revision.ErrTooLarge, rpctypes.ErrGRPCRequestTooLarge},
	{revision.ErrClosed, rpctypes.ErrGRPCStopped},
	{backend.ErrClosed, rpctypes.ErrGRPCStopped},
	{backend.ErrTooManyRequests, rpctypes.ErrGRPCRequestTooManyRequests},

	// This zkine must not serve any more; another one may.
	{state.ErrUnknownRequest, rpctypes.ErrGRPCStopped},
	{revision.ErrForeignRoot, rpctypes.ErrGRPCStopped},
	{revision.ErrNewerFormat, rpctypes.ErrGRPCStopped},
	{revision.ErrLogLost, rpctypes.ErrGRPCStopped},
	{revision.ErrHalted, rpctypes.ErrGRPCStopped},
	{revision.ErrNameTaken, rpctypes.ErrGRPCStopped},
	{revision.ErrAccepted, rpctypes.ErrGRPCStopped},
	{revision.ErrWrongCluster, rpctypes.ErrGRPCStopped},
	{revision.ErrCorrupt, rpctypes.ErrGRPCCorrupt},
}

// explained are those for which etcd has no words: they are answered in their
// own, which name what is to be done, and with a code that clients do not try
// again on, since somebody has to do it first.
var explained = []struct {
	sentinel error
	code     codes.Code
}{
	{etcddb.ErrTempDir, codes.FailedPrecondition},
	{etcddb.ErrTempDirFull, codes.ResourceExhausted},
	{etcddb.ErrTooManySnapshots, codes.ResourceExhausted},
	{housekeep.ErrUnconfirmed, codes.FailedPrecondition},
}

// toGRPC turns a backend's error into etcd's. ctx is the call's: it tells the
// server's own time limit from the client's. Nothing becomes a success, and
// what nobody foresaw becomes Unknown, as in etcd: a write may have happened;
// and clients do not try it again by themselves, for ever if the fault lasts.
func toGRPC(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	for _, table := range [][]answer{answers, authAnswers} {
		for _, a := range table {
			if errors.Is(err, a.sentinel) {
				return a.answer
			}
		}
	}
	for _, e := range explained {
		if errors.Is(err, e.sentinel) {
			return status.Error(e.code, "zkine: "+strings.ReplaceAll(err.Error(), "backend: ", ""))
		}
	}
	switch {
	case errors.Is(err, errRequestTimeout):
		return rpctypes.ErrGRPCTimeout
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return contextError(ctx, err)
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return &unforeseen{err}
}

// contextError answers a call whose context ended: with the reason if the
// server has one, else with gRPC's own words for what the client did.
func contextError(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, errRequestTimeout) {
		return rpctypes.ErrGRPCTimeout
	}
	if s, ok := status.FromError(cause); ok && cause != nil {
		return s.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(context.DeadlineExceeded).Err()
	}
	return status.FromContextError(context.Canceled).Err()
}

// unforeseen is an error that has no place in answers; callLog logs it.
type unforeseen struct{ err error }

func (u *unforeseen) Error() string { return u.err.Error() }
func (u *unforeseen) Unwrap() error { return u.err }

// GRPCStatus is what gRPC sends.
func (u *unforeseen) GRPCStatus() *status.Status {
	return status.New(codes.Unknown, "zkine: "+u.err.Error())
}

// refused answers a call that zkine does not serve, by name, with what to do
// instead.
func refused(method, instead string) error {
	return status.Error(codes.Unimplemented, "zkine: "+method+" is not supported: "+instead)
}
