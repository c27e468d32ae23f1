package state

import (
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// What etcd reads about users and roles through its log, and zkine from a view.
// Lists are for users with the root role. Everybody may see his own user, and
// the roles that he has.

func (v *View) header() *pb.ResponseHeader { return &pb.ResponseHeader{Revision: int64(v.root.rev)} }

// AuthStatus answers whoever asks.
func (v *View) AuthStatus() *pb.AuthStatusResponse {
	return &pb.AuthStatusResponse{Header: v.header(), Enabled: v.AuthEnabled(), AuthRevision: v.AuthRevision()}
}

// UserGet lists a user's roles. Errors: those of MayAdminister, ErrUserNotFound.
func (v *View) UserGet(who Requester, r *pb.AuthUserGetRequest) (*pb.AuthUserGetResponse, error) {
	if err := v.MayAdminister(who); err != nil && r.Name != who.User {
		return nil, err
	}
	u := v.root.auth.user(r.Name)
	if u == nil {
		return nil, ErrUserNotFound
	}
	return &pb.AuthUserGetResponse{Header: v.header(), Roles: u.Roles}, nil
}

// UserList lists the names of all users. Errors: those of MayAdminister.
func (v *View) UserList(who Requester) (*pb.AuthUserListResponse, error) {
	if err := v.MayAdminister(who); err != nil {
		return nil, err
	}
	resp := &pb.AuthUserListResponse{Header: v.header()}
	for _, u := range v.root.auth.users {
		resp.Users = append(resp.Users, string(u.Name))
	}
	return resp, nil
}

// RoleGet lists a role's permissions; those of root are all there are, whatever
// was granted to it. Errors: those of MayAdminister, ErrRoleNotFound.
func (v *View) RoleGet(who Requester, r *pb.AuthRoleGetRequest) (*pb.AuthRoleGetResponse, error) {
	if err := v.MayAdminister(who); err != nil {
		if u := v.root.auth.user(who.User); u == nil || !u.hasRole(r.Role) {
			return nil, err
		}
	}
	role := v.root.auth.role(r.Role)
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

// RoleList lists the names of all roles. Errors: those of MayAdminister.
func (v *View) RoleList(who Requester) (*pb.AuthRoleListResponse, error) {
	if err := v.MayAdminister(who); err != nil {
		return nil, err
	}
	resp := &pb.AuthRoleListResponse{Header: v.header()}
	for _, r := range v.root.auth.roles {
		resp.Roles = append(resp.Roles, string(r.Name))
	}
	return resp, nil
}
