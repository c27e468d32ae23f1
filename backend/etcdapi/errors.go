package etcdapi

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors of this package. Those of the API itself are wrapped as they come.
var (
	// ErrNotEtcd says that what answers does not speak the etcd API.
	ErrNotEtcd = errors.New("it does not speak the etcd v3 API; check --endpoints")
	// ErrCompacted says that the source has compacted what was still to be read.
	ErrCompacted = errors.New("the source has compacted what was still to be read")
	// ErrDenied says that the user who logged in may not read all that is to be
	// read.
	ErrDenied = errors.New("the store does not let this user read everything; name root with --user")
	// ErrFuture says that a store has not come to a revision yet.
	ErrFuture = errors.New("the store has no such revision yet")
	// ErrNotEmpty says that a target holds keys, leases or users already.
	ErrNotEmpty = errors.New("the target is not empty")
	// ErrDiffers says that both sides do not hold the same.
	ErrDiffers = errors.New("both sides differ")
	// ErrUnreadable says that a source's answer contradicts itself.
	ErrUnreadable = errors.New("the source's answer cannot be right")
)

// sorted makes an error of the API one that people can use. What is the call that
// failed.
func sorted(ctx context.Context, what string, err error) error {
	switch code := status.Code(err); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted):
		return fmt.Errorf("%s: %w", what, ErrCompacted)
	case errors.Is(rpctypes.Error(err), rpctypes.ErrFutureRev):
		return fmt.Errorf("%s: %w", what, ErrFuture)
	case code == codes.PermissionDenied || errors.Is(rpctypes.Error(err), rpctypes.ErrPermissionDenied) || errors.Is(rpctypes.Error(err), rpctypes.ErrUserEmpty):
		return fmt.Errorf("%s: %w", what, ErrDenied)
	case code == codes.Unimplemented:
		return fmt.Errorf("%s: %w", what, ErrNotEtcd)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
