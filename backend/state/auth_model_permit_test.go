package state

import (
	"bytes"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

func (a *modelAuth) admin(who Requester) error {
	u, known := a.users[who.User]
	switch {
	case who.User == "":
		return ErrUserEmpty
	case !known:
		return ErrUserNotFound
	case !u.roles["root"]:
		return ErrPermissionDenied
	}
	return nil
}

func (a *modelAuth) may(who Requester, key, end []byte, access authpb.Permission_Type) error {
	u := a.users[who.User]
	switch {
	case who.AuthRevision == 0:
		return ErrUserEmpty
	case who.AuthRevision < a.rev:
		return ErrAuthOldRevision
	case u.roles["root"]:
		return nil
	}
	var allowed []*authpb.Permission
	for role := range u.roles {
		for _, p := range a.roles[role] {
			if p.PermType == access || p.PermType == authpb.Permission_READWRITE {
				allowed = append(allowed, p)
			}
		}
	}
	if covered(allowed, key, end) {
		return nil
	}
	return ErrPermissionDenied
}

// covered goes from the key to the end, by whatever permission leads furthest. A
// range that ends before it begins is treated as its first key.
func covered(allowed []*authpb.Permission, key, end []byte) bool {
	last := append(bytes.Clone(key), 0)
	endless := openEnded(end)
	if len(end) > 0 && !endless && bytes.Compare(end, key) > 0 {
		last = end
	}
	for at := key; endless || bytes.Compare(at, last) < 0; {
		var next []byte
		for _, p := range allowed {
			to := p.RangeEnd
			if len(to) == 0 {
				to = append(bytes.Clone(p.Key), 0)
			}
			switch {
			case bytes.Compare(p.Key, at) > 0:
			case openEnded(to):
				return true
			case bytes.Compare(to, at) > 0 && bytes.Compare(to, next) > 0:
				next = to
			}
		}
		if next == nil {
			return false
		}
		at = next
	}
	return true
}

// permits is whether a request may be evaluated, on the model's leases.
func (a *modelAuth) permits(m *model, r *recordpb.Request) error {
	if !a.enabled {
		return nil
	}
	who := Requester{r.GetHeader().GetUsername(), r.GetHeader().GetAuthRevision()}
	switch kind := r.Kind.(type) {
	case *recordpb.Request_Put:
		return a.permitOp(m, who, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: kind.Put}})
	case *recordpb.Request_DeleteRange:
		return a.permitOp(m, who, &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: kind.DeleteRange}})
	case *recordpb.Request_Txn:
		return a.permitOp(m, who, &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: kind.Txn}})
	case *recordpb.Request_LeaseRevoke:
		return a.permitLease(m, who, kind.LeaseRevoke.ID)
	case *recordpb.Request_Compaction, *recordpb.Request_LeaseGrant, *recordpb.Request_Authenticate, *recordpb.Request_Alarm:
		return nil
	}
	return a.admin(who)
}

// permitOp tells the worst of what an operation comes to: all errors but the
// last are the same wherever they arise.
func (a *modelAuth) permitOp(m *model, who Requester, op *pb.RequestOp) (err error) {
	need := func(e error) {
		if err == nil {
			err = e
		}
	}
	switch r := op.Request.(type) {
	case *pb.RequestOp_RequestRange:
		need(a.may(who, r.RequestRange.Key, r.RequestRange.RangeEnd, authpb.Permission_READ))
	case *pb.RequestOp_RequestPut:
		need(a.may(who, r.RequestPut.Key, nil, authpb.Permission_WRITE))
		need(a.permitLease(m, who, r.RequestPut.Lease))
		if r.RequestPut.PrevKv {
			need(a.may(who, r.RequestPut.Key, nil, authpb.Permission_READ))
		}
	case *pb.RequestOp_RequestDeleteRange:
		need(a.may(who, r.RequestDeleteRange.Key, r.RequestDeleteRange.RangeEnd, authpb.Permission_WRITE))
		if r.RequestDeleteRange.PrevKv {
			need(a.may(who, r.RequestDeleteRange.Key, r.RequestDeleteRange.RangeEnd, authpb.Permission_READ))
		}
	case *pb.RequestOp_RequestTxn:
		for _, c := range r.RequestTxn.Compare {
			need(a.may(who, c.Key, c.RangeEnd, authpb.Permission_READ))
		}
		for _, op := range slices.Concat(r.RequestTxn.Success, r.RequestTxn.Failure) {
			need(a.permitOp(m, who, op))
		}
	}
	return err
}

func (a *modelAuth) permitLease(m *model, who Requester, id int64) error {
	if m.leases[id] == nil || a.admin(who) == nil {
		return nil
	}
	for _, key := range m.attached(id) {
		if err := a.may(who, []byte(key), nil, authpb.Permission_WRITE); err != nil {
			return err
		}
	}
	return nil
}
