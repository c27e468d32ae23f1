package backend

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/observepb"
	"github.com/zkine/zkine/backend/readlease"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/recordpb"
)

// This file has a rule for each request of etcd's API: what its caller must be
// permitted. The rules are etcd's, with its errors and in its order:
// etcdserver/v3_server.go, v3rpc/maintenance.go (authMaintenanceServer) and
// auth/store.go.
//
// Each call is checked once. First its caller is identified, as of the newest
// view. Then the rule is checked on that view. A read is answered from the same
// view. A write takes the caller into the log. While authentication is disabled,
// no rule is checked.
//
//   - Writes of keys, leases, users and roles are checked where they are applied,
//     with the same result on every zkine: see permitted in package state. Here
//     their caller is identified, and no more.
//   - All other requests are checked here.
//   - A login has no rule, and does not come here: its call may still show a token
//     that has ended.
//   - The lock and election services call KV, Lease and Watch on behalf of their
//     callers, with their tokens. Those calls are checked; the services' own
//     methods have no rules.

// calls is what the calls of clients share: who makes them, what they see, and
// where they send their requests.
type calls struct {
	auth *authenticator
	// view is the published one.
	view     *atomic.Pointer[state.View]
	reads    *reads
	lease    *readlease.Holder // nil without --read-lease
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
// is disabled. It is for the requests of Watch, Cluster and Maintenance; Backend's
// methods for KV, Lease, Auth and alarms authorize by themselves. Errors:
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
		return nil // checked where it is applied
	case *pb.TxnRequest:
		if !state.IsReadOnly(r) {
			return nil // checked where it is applied
		}
		return c.mayReadKeys(c.view.MayTxn(c.who, r))
	case *pb.CompactionRequest:
		return c.isRoot()

	// Watch. As in etcd, only its creation is checked.
	case *pb.WatchCreateRequest:
		key := r.Key
		if len(key) == 0 {
			key = []byte{0} // the smallest key
		}
		return c.view.MayRead(c.who, key, r.RangeEnd)

	// Lease.
	case *pb.LeaseGrantRequest:
		return c.isUser()
	case *pb.LeaseRevokeRequest: // its keys are checked where it is applied
		return c.isUser()
	case *pb.LeaseKeepAliveRequest: // not where it is applied: renewals share records, which name no user
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
	return c.mayObserve(request)
}

// mayObserve is may for what is zkine's own.
func (c caller) mayObserve(request proto.Message) error {
	switch request.(type) {
	case *observepb.UsageRequest, *observepb.MemberRequest, *observepb.EnsembleRequest:
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
		return nil // checked where it is applied
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

// userMay is isUser, and then another check.
func (c caller) userMay(check func() error) error {
	if err := c.isUser(); err != nil {
		return err
	}
	return check()
}

// mayReadKeys is err, or else state.ErrAuthOldRevision for a caller that was
// identified at another auth revision than the view's; etcd's doSerialize.
func (c caller) mayReadKeys(err error) error {
	if err != nil {
		return err
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
