package state

import (
	"bytes"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/pkg/v3/adt"
)

// permissions is what all roles of a user permit together, but for the root
// role, which permits everything. A range is permitted if the permissions cover
// it between them, without a gap. It is never written again once it is shared.
//
// etcd keeps it in the same interval tree; using that one also answers the odd
// ranges, such as those that end before they begin, as etcd does.
type permissions struct{ read, write adt.IntervalTree }

// permissions merges what the user's roles permit. It costs something only the
// first time. Two goroutines that do so at once get the same.
func (a *auth) permissions(u *user) *permissions {
	if p := u.merged.Load(); p != nil {
		return p
	}
	p := &permissions{read: adt.NewIntervalTree(), write: adt.NewIntervalTree()}
	for _, name := range u.Roles {
		for _, perm := range a.role(name).GetKeyPermission() {
			p.add(perm)
		}
	}
	u.merged.Store(p)
	return p
}

func (p *permissions) add(perm *authpb.Permission) {
	span := interval(perm.Key, perm.RangeEnd)
	switch perm.PermType {
	case authpb.Permission_READ:
		p.read.Insert(span, struct{}{})
	case authpb.Permission_WRITE:
		p.write.Insert(span, struct{}{})
	case authpb.Permission_READWRITE:
		p.read.Insert(span, struct{}{})
		p.write.Insert(span, struct{}{})
	}
}

// allow says whether they cover a key, or all of a range.
func (p *permissions) allow(key, end []byte, access authpb.Permission_Type) bool {
	tree := p.read
	if access == authpb.Permission_WRITE {
		tree = p.write
	}
	if len(end) == 0 {
		return tree.Intersects(interval(key, nil))
	}
	return tree.Contains(interval(key, end))
}

// interval is a key, or a range; "\x00" is a range_end without end, for which
// the tree has the empty one.
func interval(key, end []byte) adt.Interval {
	switch {
	case len(end) == 0:
		return adt.NewBytesAffinePoint(key)
	case openEnded(end):
		return adt.NewBytesAffineInterval(key, nil)
	}
	return adt.NewBytesAffineInterval(key, end)
}

func openEnded(end []byte) bool { return len(end) == 1 && end[0] == 0 }

// grantable says whether a permission may be given on the key or the range.
func grantable(key, end []byte) bool {
	return len(key) > 0 && (len(end) == 0 || openEnded(end) || bytes.Compare(key, end) < 0)
}
