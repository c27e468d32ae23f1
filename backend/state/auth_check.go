package state

import (
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

// What a user may do: the rules of etcd's auth/store.go and
// etcdserver/apply/auth.go, in etcd's order. All of them permit everything while
// authentication is disabled.
//
// Writes are checked here, when they are applied (permitted). Which rule a read
// or another call is asked is in backend/access.go.

// permitted checks a request of the log before it is evaluated. Requests of
// zkine's own pass. So does what etcd checks only on the server that accepts the
// request: grants, renewals, compactions and alarms.
func (s *store) permitted(r *recordpb.Request) error {
	who := requester(r)
	switch kind := r.GetKind().(type) {
	case *recordpb.Request_Put:
		return s.mayPut(who, kind.Put)
	case *recordpb.Request_DeleteRange:
		return s.mayDelete(who, kind.DeleteRange)
	case *recordpb.Request_Txn:
		return s.mayTxn(who, kind.Txn)
	case *recordpb.Request_LeaseRevoke:
		return s.mayWriteLease(who, kind.LeaseRevoke.GetID())
	case *recordpb.Request_AuthEnable, *recordpb.Request_AuthDisable,
		*recordpb.Request_AuthUserAdd, *recordpb.Request_AuthUserDelete,
		*recordpb.Request_AuthUserChangePassword, *recordpb.Request_AuthUserGrantRole,
		*recordpb.Request_AuthUserRevokeRole, *recordpb.Request_AuthRoleAdd,
		*recordpb.Request_AuthRoleDelete, *recordpb.Request_AuthRoleGrantPermission,
		*recordpb.Request_AuthRoleRevokePermission:
		return s.mayAdminister(who)
	}
	return nil
}

// mayAdminister is nil for users with the root role. The requester's auth revision
// may be an old one.
func (s *store) mayAdminister(who Requester) error {
	if !s.auth.enabled {
		return nil
	}
	if who.User == "" {
		return ErrUserEmpty
	}
	u := s.auth.user(who.User)
	switch {
	case u == nil:
		return ErrUserNotFound
	case !u.hasRole(rootName):
		return ErrPermissionDenied
	}
	return nil
}

// may is nil if the requester may read, or write, the key or the whole range.
func (s *store) may(access authpb.Permission_Type, who Requester, key, end []byte) error {
	if !s.auth.enabled {
		return nil
	}
	if who.AuthRevision == 0 {
		return ErrUserEmpty
	}
	if who.AuthRevision < s.auth.revision() {
		return ErrAuthOldRevision
	}
	u := s.auth.user(who.User)
	if u == nil {
		return ErrPermissionDenied
	}
	if u.hasRole(rootName) || s.auth.permissions(u).allow(key, end, access) {
		return nil
	}
	return ErrPermissionDenied
}

func (s *store) mayRead(who Requester, key, end []byte) error {
	return s.may(authpb.Permission_READ, who, key, end)
}

func (s *store) mayWrite(who Requester, key, end []byte) error {
	return s.may(authpb.Permission_WRITE, who, key, end)
}

// mayPut also looks at the lease: a user that attaches a key to a lease must be
// allowed to revoke it, and so to write all keys that are attached already.
func (s *store) mayPut(who Requester, r *pb.PutRequest) error {
	if err := s.mayWrite(who, r.GetKey(), nil); err != nil {
		return err
	}
	if err := s.mayWriteLease(who, r.GetLease()); err != nil {
		return err
	}
	if r.GetPrevKv() {
		return s.mayRead(who, r.GetKey(), nil)
	}
	return nil
}

func (s *store) mayDelete(who Requester, r *pb.DeleteRangeRequest) error {
	if err := s.mayWrite(who, r.GetKey(), r.GetRangeEnd()); err != nil {
		return err
	}
	if r.GetPrevKv() {
		return s.mayRead(who, r.GetKey(), r.GetRangeEnd())
	}
	return nil
}

// mayTxn looks at both branches: which one is executed reveals something about
// the keys that are compared.
func (s *store) mayTxn(who Requester, r *pb.TxnRequest) error {
	for _, c := range r.GetCompare() {
		if err := s.mayRead(who, c.GetKey(), c.GetRangeEnd()); err != nil {
			return err
		}
	}
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			if err := s.mayOp(who, op); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) mayOp(who Requester, op *pb.RequestOp) error {
	switch op := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return s.mayRead(who, op.RequestRange.GetKey(), op.RequestRange.GetRangeEnd())
	case *pb.RequestOp_RequestPut:
		return s.mayPut(who, op.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return s.mayDelete(who, op.RequestDeleteRange)
	case *pb.RequestOp_RequestTxn:
		return s.mayTxn(who, op.RequestTxn)
	}
	return nil
}

// mayWriteLease is nil if the requester may write every key of the lease. A
// lease that does not exist has no keys.
func (s *store) mayWriteLease(who Requester, id int64) error {
	return s.mayLease(authpb.Permission_WRITE, who, id)
}

func (s *store) mayLease(access authpb.Permission_Type, who Requester, id int64) error {
	l, ok := s.leases.Get(id)
	if !ok || s.mayAdminister(who) == nil {
		return nil
	}
	for key := range l.Keys() {
		if err := s.may(access, who, []byte(key), nil); err != nil {
			return err
		}
	}
	return nil
}

// MayAdminister is nil for users with the root role. Errors: ErrUserEmpty,
// ErrUserNotFound, ErrPermissionDenied.
func (v *View) MayAdminister(who Requester) error { return v.store.mayAdminister(who) }

// MayReadUser is nil if the requester may see the user. Each user may see itself.
// Errors: those of MayAdminister.
func (v *View) MayReadUser(who Requester, name string) error {
	if err := v.MayAdminister(who); err != nil && name != who.User {
		return err
	}
	return nil
}

// MayReadRole is nil if the requester may see the role's permissions. Each user
// may see those of its own roles. Errors: those of MayAdminister.
func (v *View) MayReadRole(who Requester, role string) error {
	err := v.MayAdminister(who)
	if u := v.store.auth.user(who.User); err != nil && u != nil && u.hasRole(role) {
		return nil
	}
	return err
}

// MayRead is nil if the requester may read the key, or all of the range. Errors
// of this and of the following: ErrUserEmpty, ErrAuthOldRevision,
// ErrPermissionDenied.
func (v *View) MayRead(who Requester, key, end []byte) error { return v.store.mayRead(who, key, end) }

// MayTxn is nil if the requester may do everything in the transaction, on both
// branches.
func (v *View) MayTxn(who Requester, r *pb.TxnRequest) error { return v.store.mayTxn(who, r) }

// MayRenew is nil if the requester may write all keys of the lease.
func (v *View) MayRenew(who Requester, id int64) error { return v.store.mayWriteLease(who, id) }

// MayReadLease is nil if the requester may read all keys of the lease.
func (v *View) MayReadLease(who Requester, id int64) error {
	return v.store.mayLease(authpb.Permission_READ, who, id)
}
