package v3rpc

import (
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/token"
	"github.com/zkine/zkine/revision"
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

// Answers that are etcd's, and that rpctypes does not have.
var (
	errStreamOrder   = status.Error(codes.Unimplemented, "RangeStream does not support custom sort orders")
	errStreamFilter  = status.Error(codes.Unimplemented, "RangeStream does not support revision filters")
	errUnknownMethod = status.Error(codes.Unknown, "etcdserver: unknown method")
)

// rpcStatus is the gRPC status that etcd answers an error with.
type rpcStatus struct{ sentinel, status error }

// statuses, and authStatuses, map sentinel errors to what etcd says. Clients go by
// the message as much as by the code, so both are etcd's, from rpctypes.
var statuses = []rpcStatus{
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

// explained are the errors for which etcd has no words. They are answered in their
// own, which name what is to be done, and with a code on which clients do not try
// again, since it has to be done first.
var explained = []struct {
	sentinel error
	code     codes.Code
}{
	{etcddb.ErrTempDir, codes.FailedPrecondition},
	{etcddb.ErrTempDirFull, codes.ResourceExhausted},
	{etcddb.ErrTooManySnapshots, codes.ResourceExhausted},
	{housekeep.ErrUnconfirmed, codes.FailedPrecondition},
	{housekeep.ErrUnarchived, codes.FailedPrecondition},
}

// authStatuses are the statuses about users and roles. For the last ones etcd has no
// code of its own, and sends the errors' own words.
var authStatuses = []rpcStatus{
	{state.ErrPermissionDenied, rpctypes.ErrGRPCPermissionDenied},
	{state.ErrUserEmpty, rpctypes.ErrGRPCUserEmpty},
	{state.ErrAuthOldRevision, rpctypes.ErrGRPCAuthOldRevision},
	{backend.ErrInvalidAuthToken, rpctypes.ErrGRPCInvalidAuthToken},
	{state.ErrAuthFailed, rpctypes.ErrGRPCAuthFailed},
	{state.ErrAuthNotEnabled, rpctypes.ErrGRPCAuthNotEnabled},
	{state.ErrRootUserNotExist, rpctypes.ErrGRPCRootUserNotExist},
	{state.ErrRootRoleNotExist, rpctypes.ErrGRPCRootRoleNotExist},
	{state.ErrInvalidAuthMgmt, rpctypes.ErrGRPCInvalidAuthMgmt},
	{state.ErrUserAlreadyExist, rpctypes.ErrGRPCUserAlreadyExist},
	{state.ErrUserNotFound, rpctypes.ErrGRPCUserNotFound},
	{state.ErrRoleEmpty, rpctypes.ErrGRPCRoleEmpty},
	{state.ErrRoleAlreadyExist, rpctypes.ErrGRPCRoleAlreadyExist},
	{state.ErrRoleNotFound, rpctypes.ErrGRPCRoleNotFound},
	{state.ErrRoleNotGranted, rpctypes.ErrGRPCRoleNotGranted},
	{state.ErrPermissionNotGiven, rpctypes.ErrGRPCPermissionNotGiven},
	{state.ErrPermissionNotGranted, rpctypes.ErrGRPCPermissionNotGranted},

	{state.ErrNoPasswordUser, status.Error(codes.Unknown, "auth: authentication failed, password was given for no password user")},
	{token.ErrVerifyOnly, status.Error(codes.Unknown, "auth: token signing attempted with verify-only key")},
	{bcrypt.ErrPasswordTooLong, status.Error(codes.Unknown, bcrypt.ErrPasswordTooLong.Error())},
}

// refused answers a call that zkine does not serve, by name, with what to do
// instead.
func refused(method, instead string) error {
	return status.Error(codes.Unimplemented, "zkine: "+method+" is not supported: "+instead)
}

// snapshotStalled answers a client that has taken nothing of a snapshot for so
// long.
func snapshotStalled(stall time.Duration) error {
	return status.Errorf(codes.Aborted, "zkine: the snapshot is given up, since the client has taken nothing of it for %v", stall)
}

// errObserverStalled answers a client that takes leaders of an election more slowly
// than they come.
var errObserverStalled = status.Error(codes.Aborted, "zkine: the observer is given up, since the client does not take what it observes")

// NotServing is the cause with which a call ends that waits for what Backend.Ready
// says will not come soon; reason is Ready's error.
func NotServing(reason error) error { return status.Error(codes.Unavailable, reason.Error()) }
