package state

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// modelAuth is the dumb twin of auth: sets, and permissions that are looked
// through one by one.
type modelAuth struct {
	enabled bool
	rev     uint64
	users   map[string]modelUser
	roles   map[string][]*authpb.Permission
}

type modelUser struct {
	hash       string
	noPassword bool
	roles      map[string]bool
}

func newModelAuth() modelAuth {
	return modelAuth{rev: 1, users: map[string]modelUser{}, roles: map[string][]*authpb.Permission{}}
}

// evaluate answers the requests about users and roles.
func (a *modelAuth) evaluate(r *recordpb.Request, h *pb.ResponseHeader) (proto.Message, error) {
	change := func(resp proto.Message) (proto.Message, error) {
		a.rev++
		return resp, nil
	}
	switch kind := r.Kind.(type) {
	case *recordpb.Request_AuthEnable:
		root, known := a.users["root"]
		switch {
		case a.enabled:
		case !known:
			return nil, ErrRootUserNotExist
		case !root.roles["root"]:
			return nil, ErrRootRoleNotExist
		}
		a.enabled = true
		return &pb.AuthEnableResponse{Header: h}, nil
	case *recordpb.Request_AuthDisable:
		if a.enabled {
			a.rev++
		}
		a.enabled = false
		return &pb.AuthDisableResponse{Header: h}, nil
	case *recordpb.Request_AuthUserAdd:
		if kind.AuthUserAdd.Name == "" {
			return nil, ErrUserEmpty
		}
		if _, known := a.users[kind.AuthUserAdd.Name]; known {
			return nil, ErrUserAlreadyExist
		}
		a.users[kind.AuthUserAdd.Name] = modelUser{kind.AuthUserAdd.HashedPassword, kind.AuthUserAdd.Options.GetNoPassword(), map[string]bool{}}
		return change(&pb.AuthUserAddResponse{Header: h})
	case *recordpb.Request_AuthUserDelete:
		if a.enabled && kind.AuthUserDelete.Name == "root" {
			return nil, ErrInvalidAuthMgmt
		}
		if _, known := a.users[kind.AuthUserDelete.Name]; !known {
			return nil, ErrUserNotFound
		}
		delete(a.users, kind.AuthUserDelete.Name)
		return change(&pb.AuthUserDeleteResponse{Header: h})
	case *recordpb.Request_AuthUserChangePassword:
		u, known := a.users[kind.AuthUserChangePassword.Name]
		if !known {
			return nil, ErrUserNotFound
		}
		u.hash = kind.AuthUserChangePassword.HashedPassword
		a.users[kind.AuthUserChangePassword.Name] = u
		return change(&pb.AuthUserChangePasswordResponse{Header: h})
	}
	return a.evaluateRoles(r, h, change)
}

func (a *modelAuth) evaluateRoles(r *recordpb.Request, h *pb.ResponseHeader, change func(proto.Message) (proto.Message, error)) (proto.Message, error) {
	switch kind := r.Kind.(type) {
	case *recordpb.Request_AuthUserGrantRole:
		u, known := a.users[kind.AuthUserGrantRole.User]
		role := kind.AuthUserGrantRole.Role
		if !known {
			return nil, ErrUserNotFound
		}
		if _, known := a.roles[role]; !known && role != "root" {
			return nil, ErrRoleNotFound
		}
		if u.roles[role] {
			return &pb.AuthUserGrantRoleResponse{Header: h}, nil
		}
		u.roles[role] = true
		return change(&pb.AuthUserGrantRoleResponse{Header: h})
	case *recordpb.Request_AuthUserRevokeRole:
		name, role := kind.AuthUserRevokeRole.Name, kind.AuthUserRevokeRole.Role
		u, known := a.users[name]
		switch {
		case a.enabled && name == "root" && role == "root":
			return nil, ErrInvalidAuthMgmt
		case !known:
			return nil, ErrUserNotFound
		case !u.roles[role]:
			return nil, ErrRoleNotGranted
		}
		delete(u.roles, role)
		return change(&pb.AuthUserRevokeRoleResponse{Header: h})
	case *recordpb.Request_AuthRoleAdd:
		if kind.AuthRoleAdd.Name == "" {
			return nil, ErrRoleEmpty
		}
		if _, known := a.roles[kind.AuthRoleAdd.Name]; known {
			return nil, ErrRoleAlreadyExist
		}
		a.roles[kind.AuthRoleAdd.Name] = nil
		return change(&pb.AuthRoleAddResponse{Header: h})
	case *recordpb.Request_AuthRoleDelete:
		role := kind.AuthRoleDelete.Role
		if a.enabled && role == "root" {
			return nil, ErrInvalidAuthMgmt
		}
		if _, known := a.roles[role]; !known {
			return nil, ErrRoleNotFound
		}
		delete(a.roles, role)
		for _, u := range a.users {
			delete(u.roles, role)
		}
		return change(&pb.AuthRoleDeleteResponse{Header: h})
	case *recordpb.Request_AuthRoleGrantPermission:
		return a.grantPermission(kind.AuthRoleGrantPermission, h, change)
	case *recordpb.Request_AuthRoleRevokePermission:
		perms, known := a.roles[kind.AuthRoleRevokePermission.Role]
		if !known {
			return nil, ErrRoleNotFound
		}
		var left []*authpb.Permission
		for _, p := range perms {
			if !bytes.Equal(p.Key, kind.AuthRoleRevokePermission.Key) || !bytes.Equal(p.RangeEnd, kind.AuthRoleRevokePermission.RangeEnd) {
				left = append(left, p)
			}
		}
		if len(left) == len(perms) {
			return nil, ErrPermissionNotGranted
		}
		a.roles[kind.AuthRoleRevokePermission.Role] = left
		return change(&pb.AuthRoleRevokePermissionResponse{Header: h})
	}
	return nil, ErrUnknownRequest
}

func (a *modelAuth) grantPermission(r *pb.AuthRoleGrantPermissionRequest, h *pb.ResponseHeader, change func(proto.Message) (proto.Message, error)) (proto.Message, error) {
	if r.Perm == nil {
		return nil, ErrPermissionNotGiven
	}
	backwards := len(r.Perm.RangeEnd) > 0 && !openEnded(r.Perm.RangeEnd) && bytes.Compare(r.Perm.Key, r.Perm.RangeEnd) >= 0
	if len(r.Perm.Key) == 0 || backwards {
		return nil, ErrInvalidAuthMgmt
	}
	perms, known := a.roles[r.Name]
	if !known {
		return nil, ErrRoleNotFound
	}
	first := slices.IndexFunc(perms, func(p *authpb.Permission) bool { return bytes.Equal(p.Key, r.Perm.Key) })
	if first >= 0 && bytes.Equal(perms[first].RangeEnd, r.Perm.RangeEnd) {
		perms[first] = r.Perm
	} else {
		perms = append(perms, r.Perm)
		slices.SortStableFunc(perms, func(p, q *authpb.Permission) int { return bytes.Compare(p.Key, q.Key) })
	}
	a.roles[r.Name] = perms
	return change(&pb.AuthRoleGrantPermissionResponse{Header: h})
}

// String shows all of it, to be compared with what a view shows.
func (a *modelAuth) String() string {
	s := fmt.Sprint(a.enabled, a.rev)
	for _, name := range slices.Sorted(maps.Keys(a.users)) {
		u := a.users[name]
		s += fmt.Sprintf("\n%q %v %v", name, u.noPassword, slices.Sorted(maps.Keys(u.roles)))
	}
	for _, name := range slices.Sorted(maps.Keys(a.roles)) {
		s += fmt.Sprintf("\n%q", name)
		for _, p := range a.roles[name] {
			s += fmt.Sprintf(" %v %q %q", p.PermType, p.Key, p.RangeEnd)
		}
	}
	return s
}

func authString(v *View) string {
	s := fmt.Sprint(v.AuthEnabled(), v.AuthRevision())
	for u := range v.Users() {
		s += fmt.Sprintf("\n%q %v %v", u.Name, u.GetOptions().GetNoPassword(), append([]string(nil), u.Roles...))
	}
	for r := range v.Roles() {
		s += fmt.Sprintf("\n%q", r.Name)
		for _, p := range r.KeyPermission {
			s += fmt.Sprintf(" %v %q %q", p.PermType, p.Key, p.RangeEnd)
		}
	}
	return s
}
