package v3rpc

import (
	"context"
	"errors"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
)

// ErrRequestTimeout is the cause with which a call's context ends when its
// Config.RequestTimeout is over. Clients are told etcd's "request timed out".
var ErrRequestTimeout = errors.New("server: request timeout")

// ToGRPC turns a backend's error into etcd's. ctx is the call's: it tells the
// server's own time limit from the client's. Only nil becomes nil. What has no
// answer here becomes Unknown, as in etcd: a write may have happened, and clients do
// not try it again by themselves, which would be for ever if the fault lasts.
func ToGRPC(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	for _, table := range [...][]rpcStatus{statuses, authStatuses} {
		for _, a := range table {
			if errors.Is(err, a.sentinel) {
				return a.status
			}
		}
	}
	for _, e := range explained {
		if errors.Is(err, e.sentinel) {
			return status.Error(e.code, "zkine: "+strings.ReplaceAll(err.Error(), "backend: ", ""))
		}
	}
	switch {
	case errors.Is(err, ErrRequestTimeout):
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
	if errors.Is(cause, ErrRequestTimeout) {
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

// unforeseen is an error that has no place in statuses; see Unforeseen.
type unforeseen struct{ err error }

func (u *unforeseen) Error() string { return u.err.Error() }
func (u *unforeseen) Unwrap() error { return u.err }

// GRPCStatus is what gRPC sends.
func (u *unforeseen) GRPCStatus() *status.Status {
	return status.New(codes.Unknown, "zkine: "+u.err.Error())
}

// Unforeseen is the backend's error behind an answer of ToGRPC that was made up for
// it, to be logged; nil for all other answers.
func Unforeseen(answer error) error {
	if answer == nil {
		return nil
	}
	var u *unforeseen
	if errors.As(answer, &u) {
		return u.err
	}
	return nil
}

// watchRefusal is what a client is told that may not have a watch; false for an
// error that does not say so.
func watchRefusal(err error) (reason string, refused bool) {
	for _, sentinel := range []error{
		state.ErrPermissionDenied, state.ErrUserEmpty, state.ErrAuthOldRevision, backend.ErrInvalidAuthToken,
	} {
		if errors.Is(err, sentinel) {
			return ToGRPC(context.Background(), err).Error(), true
		}
	}
	return "", false
}
