package state

import (
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// What etcd reads about users and roles through its log, and zkine from a view.
// Who may read it is in auth_check.go.

func (v *View) header() *pb.ResponseHeader { return &pb.ResponseHeader{Revision: int64(v.store.rev)} }

// AuthStatus says whether authentication is enabled, and the auth revision.
func (v *View) AuthStatus() *pb.AuthStatusResponse {
	return &pb.AuthStatusResponse{Header: v.header(), Enabled: v.AuthEnabled(), AuthRevision: v.AuthRevision()}
}

// UserGet lists a user's roles. Error: ErrUserNotFound.
func (v *View) UserGet(r *pb.AuthUserGetRequest) (*pb.AuthUserGetResponse, error) {
	u := v.store.auth.user(r.Name)
	if u == nil {
		return nil, ErrUserNotFound
	}
	return &pb.AuthUserGetResponse{Header: v.header(), Roles: u.Roles}, nil
}

// UserList lists the names of all users.
func (v *View) UserList() *pb.AuthUserListResponse {
	resp := &pb.AuthUserListResponse{Header: v.header()}
	for _, u := range v.store.auth.users {
		resp.Users = append(resp.Users, string(u.Name))
	}
	return resp
}

// RoleGet lists a role's permissions; those of root are all there are, whatever
// was granted to it. Error: ErrRoleNotFound.
func (v *View) RoleGet(r *pb.AuthRoleGetRequest) (*pb.AuthRoleGetResponse, error) {
	role := v.store.auth.role(r.Role)
	if role == nil {
		return nil, ErrRoleNotFound
	}
	resp := &pb.AuthRoleGetResponse{Header: v.header()}
	if r.Role == rootName {
		resp.Perm = []*authpb.Permission{{PermType: authpb.Permission_READWRITE, RangeEnd: []byte{0}}}
		return resp, nil
	}
	for _, p := range role.KeyPermission {
		resp.Perm = append(resp.Perm, proto.CloneOf(p))
	}
	return resp, nil
}

// RoleList lists the names of all roles.
func (v *View) RoleList() *pb.AuthRoleListResponse {
	resp := &pb.AuthRoleListResponse{Header: v.header()}
	for _, r := range v.store.auth.roles {
		resp.Roles = append(resp.Roles, string(r.Name))
	}
	return resp
}
