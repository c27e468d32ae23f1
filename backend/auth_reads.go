package backend

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
)

// readAuth answers a request from the newest view behind a barrier, if its caller
// may make it.
func readAuth[R proto.Message, T any](ctx context.Context, c *calls, r R, read func(*state.View, R) (T, error)) (T, error) {
	var zero T
	if err := c.reads.wait(ctx); err != nil {
		return zero, err
	}
	who, err := c.authorize(ctx, r)
	if err != nil {
		return zero, err
	}
	return read(who.view, r)
}

// AuthStatus says whether authentication is enabled.
func (a *authService) AuthStatus(ctx context.Context, r *pb.AuthStatusRequest) (*pb.AuthStatusResponse, error) {
	return readAuth(ctx, a.calls, r, func(v *state.View, _ *pb.AuthStatusRequest) (*pb.AuthStatusResponse, error) {
		return v.AuthStatus(), nil
	})
}

// UserGet lists the roles of a user.
func (a *authService) UserGet(ctx context.Context, r *pb.AuthUserGetRequest) (*pb.AuthUserGetResponse, error) {
	return readAuth(ctx, a.calls, r, (*state.View).UserGet)
}

// UserList lists all users.
func (a *authService) UserList(ctx context.Context, r *pb.AuthUserListRequest) (*pb.AuthUserListResponse, error) {
	return readAuth(ctx, a.calls, r, func(v *state.View, _ *pb.AuthUserListRequest) (*pb.AuthUserListResponse, error) {
		return v.UserList(), nil
	})
}

// RoleGet lists the permissions of a role.
func (a *authService) RoleGet(ctx context.Context, r *pb.AuthRoleGetRequest) (*pb.AuthRoleGetResponse, error) {
	return readAuth(ctx, a.calls, r, (*state.View).RoleGet)
}

// RoleList lists all roles.
func (a *authService) RoleList(ctx context.Context, r *pb.AuthRoleListRequest) (*pb.AuthRoleListResponse, error) {
	return readAuth(ctx, a.calls, r, func(v *state.View, _ *pb.AuthRoleListRequest) (*pb.AuthRoleListResponse, error) {
		return v.RoleList(), nil
	})
}
