package state

import (
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/authpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// auth is the users, the roles and whether authentication is enabled: what etcd
// calls the auth store. Its zero value is that of an empty store.
//
// Views share what the slices and pointers here lead to, so that it never
// changes: a change replaces the slice and the element. Changes are rare, so that
// copying a slice costs little.
type auth struct {
	enabled bool
	// changes counts what etcd counts into the auth revision, which begins at 1.
	changes uint64
	users   []*user        // by name
	roles   []*authpb.Role // by name; the permissions of each by key
}

// user is a user and what its roles permit, which is merged when it is first
// needed.
//
// Invariant: a user is replaced when it or one of its roles changes. So all
// stores that share one agree on what it is permitted.
type user struct {
	*authpb.User // Roles is sorted
	merged       atomic.Pointer[permissions]
}

// rootName is the user, and the role, that may do everything.
const rootName = "root"

func (a *auth) revision() uint64 { return a.changes + 1 }

func (a *auth) findUser(name string) (i int, found bool) {
	return slices.BinarySearchFunc(a.users, name, func(u *user, name string) int {
		return strings.Compare(alias(u.Name), name)
	})
}

// user is the user of that name, or nil.
func (a *auth) user(name string) *user {
	if i, found := a.findUser(name); found {
		return a.users[i]
	}
	return nil
}

func (a *auth) findRole(name string) (i int, found bool) {
	return slices.BinarySearchFunc(a.roles, name, func(r *authpb.Role, name string) int {
		return strings.Compare(alias(r.Name), name)
	})
}

// role is the role of that name, or nil.
func (a *auth) role(name string) *authpb.Role {
	if i, found := a.findRole(name); found {
		return a.roles[i]
	}
	return nil
}

// hasRole says whether the user has the role, which need not exist: the root
// role may be granted without.
func (u *user) hasRole(name string) bool {
	_, found := slices.BinarySearch(u.Roles, name)
	return found
}

// setUser puts the user in the place of the one of its name, or adds it.
func (a *auth) setUser(u *authpb.User) {
	i, found := a.findUser(alias(u.Name))
	a.users = slices.Clone(a.users)
	if found {
		a.users[i] = &user{User: u}
	} else {
		a.users = slices.Insert(a.users, i, &user{User: u})
	}
}

// setRole puts the role in the place of the one of its name, or adds it.
func (a *auth) setRole(r *authpb.Role) {
	i, found := a.findRole(alias(r.Name))
	a.roles = slices.Clone(a.roles)
	if found {
		a.roles[i] = r
	} else {
		a.roles = slices.Insert(a.roles, i, r)
	}
	a.forget(alias(r.Name))
}

// forget replaces the users that have a role which has changed.
func (a *auth) forget(role string) {
	a.users = slices.Clone(a.users)
	for i, u := range a.users {
		if u.hasRole(role) {
			a.users[i] = &user{User: u.User}
		}
	}
}

// Requester is the user that makes a request; etcd's AuthInfo. AuthRevision is the
// auth revision at which the zkine that accepted the request identified the user.
// The zero value is a caller without credentials.
type Requester struct {
	User         string
	AuthRevision uint64
}

// requester is the user that a record of the log names.
func requester(r *recordpb.Request) Requester {
	return Requester{User: r.GetHeader().GetUsername(), AuthRevision: r.GetHeader().GetAuthRevision()}
}

// AuthEnabled says whether authentication is enabled.
func (v *View) AuthEnabled() bool { return v.store.auth.enabled }

// AuthRevision counts the changes of users, roles and permissions, from 1.
func (v *View) AuthRevision() uint64 { return v.store.auth.revision() }

// Users yields the users in the order of their names, as etcd stores them: the
// password is a bcrypt hash. The messages are the caller's.
func (v *View) Users() iter.Seq[*authpb.User] {
	return func(yield func(*authpb.User) bool) {
		for _, u := range v.store.auth.users {
			if !yield(proto.CloneOf(u.User)) {
				return
			}
		}
	}
}

// User is the user of that name, as Users has it.
func (v *View) User(name string) (*authpb.User, bool) {
	u := v.store.auth.user(name)
	if u == nil {
		return nil, false
	}
	return proto.CloneOf(u.User), true
}

// Roles yields the roles in the order of their names, as etcd stores them. The
// messages are the caller's.
func (v *View) Roles() iter.Seq[*authpb.Role] {
	return func(yield func(*authpb.Role) bool) {
		for _, r := range v.store.auth.roles {
			if !yield(proto.CloneOf(r)) {
				return
			}
		}
	}
}

// auth adds the users, the roles and whether authentication is enabled.
func (d digest) auth(a *auth) {
	d.numbers(flag(a.enabled), int64(a.changes), int64(len(a.users)), int64(len(a.roles)))
	for _, u := range a.users {
		d.bytes(u.Name)
		d.bytes(u.Password)
		d.numbers(flag(u.GetOptions().GetNoPassword()), int64(len(u.Roles)))
		for _, r := range u.Roles {
			d.bytes([]byte(r))
		}
	}
	for _, r := range a.roles {
		d.bytes(r.Name)
		d.numbers(int64(len(r.KeyPermission)))
		for _, p := range r.KeyPermission {
			d.numbers(int64(p.PermType))
			d.bytes(p.Key)
			d.bytes(p.RangeEnd)
		}
	}
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
