package state

import (
	"bytes"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func (m *Machine) roleAdd(r *pb.AuthRoleAddRequest) (*pb.AuthRoleAddResponse, error) {
	switch {
	case r.Name == "":
		return nil, ErrRoleEmpty
	case m.auth.role(r.Name) != nil:
		return nil, ErrRoleAlreadyExist
	}
	m.auth.setRole(&authpb.Role{Name: []byte(r.Name)})
	m.auth.changes++
	return &pb.AuthRoleAddResponse{Header: m.header()}, nil
}

// roleDelete also takes the role from all users that have it.
func (m *Machine) roleDelete(r *pb.AuthRoleDeleteRequest) (*pb.AuthRoleDeleteResponse, error) {
	if m.auth.enabled && r.Role == rootName {
		return nil, ErrInvalidAuthMgmt
	}
	i, found := m.auth.findRole(r.Role)
	if !found {
		return nil, ErrRoleNotFound
	}
	m.auth.roles = slices.Delete(slices.Clone(m.auth.roles), i, i+1)
	m.auth.users = slices.Clone(m.auth.users)
	for i, u := range m.auth.users {
		if u.hasRole(r.Role) {
			m.auth.users[i] = &user{User: withRoles(u.User, without(u.Roles, r.Role))}
		}
	}
	m.auth.changes++
	return &pb.AuthRoleDeleteResponse{Header: m.header()}, nil
}

// roleGrantPermission adds a permission, in the order of the keys, or changes
// the type of the one on the same range. As in etcd, of several that begin at
// the same key only the first is looked at, and what is the same as a later one
// is added once more; revoking takes all.
func (m *Machine) roleGrantPermission(r *pb.AuthRoleGrantPermissionRequest) (*pb.AuthRoleGrantPermissionResponse, error) {
	if r.Perm == nil {
		return nil, ErrPermissionNotGiven
	}
	if !grantable(r.Perm.Key, r.Perm.RangeEnd) {
		return nil, ErrInvalidAuthMgmt
	}
	role := m.auth.role(r.Name)
	if role == nil {
		return nil, ErrRoleNotFound
	}
	added := &authpb.Permission{
		PermType: r.Perm.PermType, Key: bytes.Clone(r.Perm.Key), RangeEnd: bytes.Clone(r.Perm.RangeEnd),
	}
	perms := slices.Clone(role.KeyPermission)
	i, found := slices.BinarySearchFunc(perms, added.Key, compareKey)
	if found && bytes.Equal(perms[i].RangeEnd, added.RangeEnd) {
		perms[i] = added
	} else {
		for i < len(perms) && bytes.Equal(perms[i].Key, added.Key) {
			i++
		}
		perms = slices.Insert(perms, i, added)
	}
	m.auth.setRole(&authpb.Role{Name: role.Name, KeyPermission: perms})
	m.auth.changes++
	return &pb.AuthRoleGrantPermissionResponse{Header: m.header()}, nil
}

func compareKey(p *authpb.Permission, key []byte) int { return bytes.Compare(p.Key, key) }

func (m *Machine) roleRevokePermission(r *pb.AuthRoleRevokePermissionRequest) (*pb.AuthRoleRevokePermissionResponse, error) {
	role := m.auth.role(r.Role)
	if role == nil {
		return nil, ErrRoleNotFound
	}
	perms := slices.DeleteFunc(slices.Clone(role.KeyPermission), func(p *authpb.Permission) bool {
		return bytes.Equal(p.Key, r.Key) && bytes.Equal(p.RangeEnd, r.RangeEnd)
	})
	if len(perms) == len(role.KeyPermission) {
		return nil, ErrPermissionNotGranted
	}
	m.auth.setRole(&authpb.Role{Name: role.Name, KeyPermission: perms})
	m.auth.changes++
	return &pb.AuthRoleRevokePermissionResponse{Header: m.header()}, nil
}
