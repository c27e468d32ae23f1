package etcdapi

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/authpb"
)

// Access is the users and roles of a store, as far as the API tells: no passwords.
type Access struct {
	// Enabled says that users count.
	Enabled  bool
	Revision uint64
	// Users and Roles are in the order of their names.
	Users []*authpb.User
	Roles []*authpb.Role
}

// Access reads users and roles. A kine has none.
func (s *Source) Access(ctx context.Context) (Access, error) {
	if s.kind == Kine {
		return Access{}, nil
	}
	status, err := s.client.AuthStatus(ctx)
	if err != nil {
		return Access{}, s.unlessDenied(sorted(ctx, "ask whether users count", err))
	}
	a := Access{Enabled: status.Enabled, Revision: status.AuthRevision}
	users, err := s.client.UserList(ctx)
	if err != nil {
		return a, s.unlessDenied(sorted(ctx, "list the users", err))
	}
	for _, name := range users.Users {
		user, err := s.client.UserGet(ctx, name)
		if err != nil {
			return a, sorted(ctx, "read a user", err)
		}
		a.Users = append(a.Users, &authpb.User{Name: []byte(name), Roles: user.Roles})
	}
	roles, err := s.client.RoleList(ctx)
	if err != nil {
		return a, sorted(ctx, "list the roles", err)
	}
	for _, name := range roles.Roles {
		role, err := s.client.RoleGet(ctx, name)
		if err != nil {
			return a, sorted(ctx, "read a role", err)
		}
		r := &authpb.Role{Name: []byte(name)}
		for _, p := range role.Perm {
			r.KeyPermission = append(r.KeyPermission, &authpb.Permission{PermType: p.PermType, Key: p.Key, RangeEnd: p.RangeEnd})
		}
		a.Roles = append(a.Roles, r)
	}
	return a, nil
}

// AccessChanged says whether users and roles, or whether they count, are others than they
// were at a revision of theirs. A watch does not tell of that. A kine has none.
func (s *Source) AccessChanged(ctx context.Context, enabled bool, revision uint64) (bool, error) {
	if s.kind == Kine {
		return false, nil
	}
	status, err := s.client.AuthStatus(ctx)
	if err != nil {
		return false, sorted(ctx, "ask whether users count", err)
	}
	return status.Enabled != enabled || status.AuthRevision != revision, nil
}

// unlessDenied is nil for a user who may read keys of a prefix and nothing else: then
// users and roles are not a part of what is read.
func (s *Source) unlessDenied(err error) error {
	if !s.whole && errors.Is(err, ErrDenied) {
		return nil
	}
	return err
}
