package backend

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/recordpb"
)

// This file says what is asked of the caller of each request of etcd's API. The
// rules are etcd's, with its errors and in its order: etcdserver/v3_server.go,
// v3rpc/maintenance.go (authMaintenanceServer) and auth/store.go.
//
// Each call is asked once: its caller is identified, and is asked what the
// request needs as of one view. What is read is then read from that view, and
// what is written bears the caller found here into the log. All of it is asked
// only while authentication is enabled.
//
//   - A write of keys, of a lease, of users or of roles is permitted or refused
//     where it is applied, on every zkine the same: state's permitted. Here it is
//     only found out who its caller is.
//   - A read, and what every user or only root may call, is asked here.
//   - A login is asked nothing: its caller may still show a token that has ended.
//   - The lock and election services call KV, Lease and Watch for their callers,
//     with their tokens. Those calls are asked; the services' own are not.

// calls is what the calls of clients share: who makes them, what they see, and
// where they send their requests.
type calls struct {
	auth *authenticator
	// view is the published one.
	view     *atomic.Pointer[state.View]
	reads    *reads
	proposer *proposer
	logger   *logrus.Entry
}

// caller is who makes a call, as of a view.
type caller struct {
	view *state.View
	who  state.Requester
	// named is false without credentials, and while authentication is disabled.
	named bool
}

// Authorize is nil if the caller may make the request, and while authentication
// is disabled. It is for requests that are not answered by a method of Backend
// which asks by itself: those of Watch, Cluster and Maintenance. Errors:
// ErrInvalidAuthToken; state's ErrUserEmpty, ErrUserNotFound,
// ErrPermissionDenied and ErrAuthOldRevision; those of waiting for a token that
// this zkine may not know yet.
func (s *calls) Authorize(ctx context.Context, request proto.Message) error {
	_, err := s.authorize(ctx, request)
	return err
}

// authorize is Authorize, and returns the caller.
func (s *calls) authorize(ctx context.Context, request proto.Message) (caller, error) {
	c, err := s.identify(ctx)
	if err != nil || !c.view.AuthEnabled() {
		return c, err
	}
	return c, c.may(request)
}

// may is nil if the caller may make the request. A request that has no rule here
// is permitted to no caller.
func (c caller) may(request proto.Message) error {
	switch r := request.(type) {
	// KV.
	case *pb.RangeRequest: // RangeStream, too
		return c.mayReadKeys(c.view.MayRead(c.who, r.Key, r.RangeEnd))
	case *pb.PutRequest, *pb.DeleteRangeRequest:
		return nil // asked where it is applied
	case *pb.TxnRequest:
		if !state.IsReadOnly(r) {
			return nil // asked where it is applied
		}
		return c.mayReadKeys(c.view.MayTxn(c.who, r))
	case *pb.CompactionRequest:
		return c.isRoot()

	// Watch. One that goes on is not asked again, as in etcd.
	case *pb.WatchCreateRequest:
		key := r.Key
		if len(key) == 0 {
			key = []byte{0} // the smallest key
		}
		return c.view.MayRead(c.who, key, r.RangeEnd)

	// Lease.
	case *pb.LeaseGrantRequest:
		return c.isUser()
	case *pb.LeaseRevokeRequest: // the keys are asked for where it is applied
		return c.isUser()
	case *pb.LeaseKeepAliveRequest: // here: renewals share records, which can name no user
		return c.userMay(func() error { return c.view.MayRenew(c.who, r.ID) })
	case *pb.LeaseTimeToLiveRequest:
		if !r.Keys {
			return c.isUser()
		}
		return c.userMay(func() error { return c.view.MayReadLease(c.who, r.ID) })
	case *pb.LeaseLeasesRequest:
		return c.userMay(c.mayReadLeases)

	// Cluster.
	case *pb.MemberListRequest:
		return c.isUser()
	case *pb.MemberAddRequest, *pb.MemberRemoveRequest, *pb.MemberUpdateRequest, *pb.MemberPromoteRequest:
		return c.isRoot()

	// Maintenance.
	case *pb.StatusRequest:
		return c.isUser()
	case *pb.AlarmRequest:
		if r.GetAction() == pb.AlarmRequest_GET {
			return c.isUser()
		}
		return c.isRoot()
	case *pb.DefragmentRequest, *pb.HashRequest, *pb.HashKVRequest, *pb.SnapshotRequest,
		*pb.MoveLeaderRequest, *pb.DowngradeRequest:
		return c.isRoot()
	}
	return c.mayAuth(request)
}

// mayAuth is may for the requests of the Auth service.
func (c caller) mayAuth(request proto.Message) error {
	switch r := request.(type) {
	case *pb.AuthStatusRequest:
		return nil
	case *pb.AuthUserGetRequest:
		return c.view.MayReadUser(c.who, r.Name)
	case *pb.AuthRoleGetRequest:
		return c.view.MayReadRole(c.who, r.Role)
	case *pb.AuthUserListRequest, *pb.AuthRoleListRequest:
		return c.isRoot()
	case *pb.AuthEnableRequest, *pb.AuthDisableRequest,
		*pb.AuthUserAddRequest, *pb.AuthUserDeleteRequest, *pb.AuthUserChangePasswordRequest,
		*pb.AuthUserGrantRoleRequest, *pb.AuthUserRevokeRoleRequest,
		*pb.AuthRoleAddRequest, *pb.AuthRoleDeleteRequest,
		*pb.AuthRoleGrantPermissionRequest, *pb.AuthRoleRevokePermissionRequest:
		return nil // asked where it is applied
	}
	return fmt.Errorf("%w: there is no rule for %T", state.ErrPermissionDenied, request)
}

// isUser is nil for every user. Error: state.ErrUserEmpty.
func (c caller) isUser() error {
	if !c.named {
		return state.ErrUserEmpty
	}
	return nil
}

// isRoot is nil for users with the root role. Errors: those of
// state.View.MayAdminister.
func (c caller) isRoot() error { return c.view.MayAdminister(c.who) }

// userMay is isUser, and then what only a user is asked.
func (c caller) userMay(ask func() error) error {
	if err := c.isUser(); err != nil {
		return err
	}
	return ask()
}

// mayReadKeys is permitted, and state.ErrAuthOldRevision for a caller that was
// identified at another auth revision than the view's; etcd's doSerialize.
func (c caller) mayReadKeys(permitted error) error {
	if permitted != nil {
		return permitted
	}
	if c.who.AuthRevision != 0 && c.who.AuthRevision != c.view.AuthRevision() {
		return state.ErrAuthOldRevision
	}
	return nil
}

// mayReadLeases is nil if the caller may read every key that is attached to any
// lease.
func (c caller) mayReadLeases() error {
	for l := range c.view.Leases() {
		if err := c.view.MayReadLease(c.who, l.ID); err != nil {
			return err
		}
	}
	return nil
}

// sign puts the caller into a record, for the check where it is applied; etcd's
// processInternalRaftRequestOnce.
func (c caller) sign(r *recordpb.Request) {
	if c.named {
		r.Header = &pb.RequestHeader{Username: c.who.User, AuthRevision: c.who.AuthRevision}
	}
}
