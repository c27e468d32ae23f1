package backend_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/crypto/bcrypt"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/backend/state"
)

// What every request of etcd's API is answered to whom is tested where a new
// method would be seen: in the server, on its gRPC services.

// A request without a rule is permitted to no caller, root included.
func TestWithoutARuleAccessIsDenied(t *testing.T) {
	root := backend.Credentials{CommonName: "root"}
	b := openMem(t, memlog.New(), "one", func(c *backend.Config) {
		c.Auth = backend.AuthConfig{BcryptCost: bcrypt.MinCost, Credentials: func(context.Context) backend.Credentials { return root }}
	})
	unknown := &pb.ResponseHeader{}
	require.NoError(t, b.Authorize(within(t), unknown), "authentication is disabled")
	_, err := b.UserAdd(within(t), &pb.AuthUserAddRequest{Name: "root", Password: "r"})
	require.NoError(t, err)
	_, err = b.UserGrantRole(within(t), &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"})
	require.NoError(t, err)
	_, err = b.AuthEnable(within(t), &pb.AuthEnableRequest{})
	require.NoError(t, err)
	require.NoError(t, b.Authorize(within(t), &pb.HashRequest{}))
	require.ErrorIs(t, b.Authorize(within(t), unknown), state.ErrPermissionDenied)
}
