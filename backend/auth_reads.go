package backend

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
)

// readAuth answers from the newest view behind a barrier, knowing who asks.
func readAuth[T any](ctx context.Context, b *Backend, read func(*state.View, state.Requester) (T, error)) (T, error) {
	var zero T
	if err := b.reads.wait(ctx); err != nil {
		return zero, err
	}
	v, who, _, err := b.identify(ctx)
	if err != nil {
		return zero, err
	}
	return read(v, who)
}

// AuthStatus says whether users and roles count.
func (b *Backend) AuthStatus(ctx context.Context, _ *pb.AuthStatusRequest) (*pb.AuthStatusResponse, error) {
	return readAuth(ctx, b, func(v *state.View, _ state.Requester) (*pb.AuthStatusResponse, error) {
		return v.AuthStatus(), nil
	})
}

// UserGet lists the roles of a user.
func (b *Backend) UserGet(ctx context.Context, r *pb.AuthUserGetRequest) (*pb.AuthUserGetResponse, error) {
	return readAuth(ctx, b, func(v *state.View, who state.Requester) (*pb.AuthUserGetResponse, error) {
		return v.UserGet(who, r)
	})
}

// UserList lists all users.
func (b *Backend) UserList(ctx context.Context, _ *pb.AuthUserListRequest) (*pb.AuthUserListResponse, error) {
	return readAuth(ctx, b, (*state.View).UserList)
}

// RoleGet lists the permissions of a role.
func (b *Backend) RoleGet(ctx context.Context, r *pb.AuthRoleGetRequest) (*pb.AuthRoleGetResponse, error) {
	return readAuth(ctx, b, func(v *state.View, who state.Requester) (*pb.AuthRoleGetResponse, error) {
		return v.RoleGet(who, r)
	})
}

// RoleList lists all roles.
func (b *Backend) RoleList(ctx context.Context, _ *pb.AuthRoleListRequest) (*pb.AuthRoleListResponse, error) {
	return readAuth(ctx, b, (*state.View).RoleList)
}
