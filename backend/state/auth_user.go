package state

import (
	"encoding/base64"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// userAdd adds a user without roles. The password is a hash. A request with a
// password in the clear is refused: the log must not hold one.
func (m *Machine) userAdd(r *pb.AuthUserAddRequest) (*pb.AuthUserAddResponse, error) {
	switch {
	case r.Password != "":
		return nil, ErrMalformed
	case r.Name == "":
		return nil, ErrUserEmpty
	case m.auth.user(r.Name) != nil:
		return nil, ErrUserAlreadyExist
	}
	u := &authpb.User{
		Name:    []byte(r.Name),
		Options: &authpb.UserAddOptions{NoPassword: r.GetOptions().GetNoPassword()},
	}
	if !u.Options.NoPassword {
		var err error
		if u.Password, err = decodeHash(r.HashedPassword); err != nil {
			return nil, err
		}
	}
	m.auth.setUser(u)
	m.auth.changes++
	return &pb.AuthUserAddResponse{Header: m.header()}, nil
}

func decodeHash(hash string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(hash)
	if err != nil {
		return nil, ErrNoPasswordUser // etcd's answer
	}
	return b, nil
}

func (m *Machine) userDelete(r *pb.AuthUserDeleteRequest) (*pb.AuthUserDeleteResponse, error) {
	if m.auth.enabled && r.Name == rootName {
		return nil, ErrInvalidAuthMgmt
	}
	i, found := m.auth.findUser(r.Name)
	if !found {
		return nil, ErrUserNotFound
	}
	m.auth.users = slices.Delete(slices.Clone(m.auth.users), i, i+1)
	m.auth.changes++
	m.noteAuth(AuthChange{Kind: UserInvalidated, User: r.Name})
	return &pb.AuthUserDeleteResponse{Header: m.header()}, nil
}

// userChangePassword sets the hash of a new password. A user that has the option
// not to have one stays without.
func (m *Machine) userChangePassword(r *pb.AuthUserChangePasswordRequest) (*pb.AuthUserChangePasswordResponse, error) {
	u := m.auth.user(r.Name)
	switch {
	case r.Password != "":
		return nil, ErrMalformed
	case u == nil:
		return nil, ErrUserNotFound
	}
	changed := &authpb.User{Name: u.Name, Roles: u.Roles, Options: u.Options}
	if !u.GetOptions().GetNoPassword() {
		var err error
		if changed.Password, err = decodeHash(r.HashedPassword); err != nil {
			return nil, err
		}
	}
	m.auth.setUser(changed)
	m.auth.changes++
	m.noteAuth(AuthChange{Kind: UserInvalidated, User: r.Name})
	return &pb.AuthUserChangePasswordResponse{Header: m.header()}, nil
}

// userGrantRole gives a role to a user; one that he has already is no change.
// The root role need not exist.
func (m *Machine) userGrantRole(r *pb.AuthUserGrantRoleRequest) (*pb.AuthUserGrantRoleResponse, error) {
	u := m.auth.user(r.User)
	switch {
	case u == nil:
		return nil, ErrUserNotFound
	case r.Role != rootName && m.auth.role(r.Role) == nil:
		return nil, ErrRoleNotFound
	}
	if i, found := slices.BinarySearch(u.Roles, r.Role); !found {
		m.auth.setUser(withRoles(u.User, slices.Insert(slices.Clone(u.Roles), i, r.Role)))
		m.auth.changes++
	}
	return &pb.AuthUserGrantRoleResponse{Header: m.header()}, nil
}

func (m *Machine) userRevokeRole(r *pb.AuthUserRevokeRoleRequest) (*pb.AuthUserRevokeRoleResponse, error) {
	if m.auth.enabled && r.Name == rootName && r.Role == rootName {
		return nil, ErrInvalidAuthMgmt
	}
	u := m.auth.user(r.Name)
	switch {
	case u == nil:
		return nil, ErrUserNotFound
	case !u.hasRole(r.Role):
		return nil, ErrRoleNotGranted
	}
	m.auth.setUser(withRoles(u.User, without(u.Roles, r.Role)))
	m.auth.changes++
	return &pb.AuthUserRevokeRoleResponse{Header: m.header()}, nil
}

// withRoles is the user with other roles.
func withRoles(u *authpb.User, roles []string) *authpb.User {
	return &authpb.User{Name: u.Name, Password: u.Password, Options: u.Options, Roles: roles}
}

// without is a copy of the names but for one.
func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}
