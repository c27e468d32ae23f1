package servertest

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// auth is the part of a Backend that is about users and roles, which do not count.
type auth struct{ backend *Backend }

func (*auth) AuthEnabled() bool { return false }

func (*auth) Authorize(context.Context, proto.Message) error { return nil }

func (a *auth) AuthEnable(ctx context.Context, r *pb.AuthEnableRequest) (*pb.AuthEnableResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthEnableResponse{Header: Header(20)})
}

func (a *auth) AuthDisable(ctx context.Context, r *pb.AuthDisableRequest) (*pb.AuthDisableResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthDisableResponse{Header: Header(20)})
}

func (a *auth) AuthStatus(ctx context.Context, r *pb.AuthStatusRequest) (*pb.AuthStatusResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthStatusResponse{Header: Header(20)})
}

func (a *auth) Authenticate(ctx context.Context, r *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthenticateResponse{Header: Header(20)})
}

func (a *auth) UserAdd(ctx context.Context, r *pb.AuthUserAddRequest) (*pb.AuthUserAddResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthUserAddResponse{Header: Header(20)})
}

func (a *auth) UserGet(ctx context.Context, r *pb.AuthUserGetRequest) (*pb.AuthUserGetResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthUserGetResponse{Header: Header(20)})
}

func (a *auth) UserList(ctx context.Context, r *pb.AuthUserListRequest) (*pb.AuthUserListResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthUserListResponse{Header: Header(20)})
}

func (a *auth) UserDelete(ctx context.Context, r *pb.AuthUserDeleteRequest) (*pb.AuthUserDeleteResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthUserDeleteResponse{Header: Header(20)})
}

func (a *auth) UserChangePassword(ctx context.Context, r *pb.AuthUserChangePasswordRequest) (*pb.AuthUserChangePasswordResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthUserChangePasswordResponse{Header: Header(20)})
}

func (a *auth) UserGrantRole(ctx context.Context, r *pb.AuthUserGrantRoleRequest) (*pb.AuthUserGrantRoleResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthUserGrantRoleResponse{Header: Header(20)})
}

func (a *auth) UserRevokeRole(ctx context.Context, r *pb.AuthUserRevokeRoleRequest) (*pb.AuthUserRevokeRoleResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthUserRevokeRoleResponse{Header: Header(20)})
}

func (a *auth) RoleAdd(ctx context.Context, r *pb.AuthRoleAddRequest) (*pb.AuthRoleAddResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthRoleAddResponse{Header: Header(20)})
}

func (a *auth) RoleGet(ctx context.Context, r *pb.AuthRoleGetRequest) (*pb.AuthRoleGetResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthRoleGetResponse{Header: Header(20)})
}

func (a *auth) RoleList(ctx context.Context, r *pb.AuthRoleListRequest) (*pb.AuthRoleListResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthRoleListResponse{Header: Header(20)})
}

func (a *auth) RoleDelete(ctx context.Context, r *pb.AuthRoleDeleteRequest) (*pb.AuthRoleDeleteResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthRoleDeleteResponse{Header: Header(20)})
}

func (a *auth) RoleGrantPermission(ctx context.Context, r *pb.AuthRoleGrantPermissionRequest) (*pb.AuthRoleGrantPermissionResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthRoleGrantPermissionResponse{Header: Header(20)})
}

func (a *auth) RoleRevokePermission(ctx context.Context, r *pb.AuthRoleRevokePermissionRequest) (*pb.AuthRoleRevokePermissionResponse, error) {
	return call(ctx, a.backend, r, &pb.AuthRoleRevokePermissionResponse{Header: Header(20)})
}
