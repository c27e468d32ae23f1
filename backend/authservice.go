package backend

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/token"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/throttle"
)

// The calls of etcd's Auth service. Changes go through the log. Reads are answered
// from a view behind a barrier; etcd sends them through its log, too. Passwords
// end here: only a hash is logged.

// authService answers the calls of etcd's Auth service.
type authService struct {
	*calls
	failedLogins throttle.Lines
}

// Failed logins that are logged: one a name and period, and so many names.
const (
	failedLoginPeriod = 10 * time.Second
	failedLoginNames  = 16
)

func failedLogins() throttle.Lines {
	return throttle.Lines{Period: failedLoginPeriod, MaxKeys: failedLoginNames}
}

// Authenticate compares a password and grants a token.
func (a *authService) Authenticate(ctx context.Context, r *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	password := r.Password
	r.Password = ""
	if err := a.reads.wait(ctx); err != nil {
		return nil, err
	}
	for {
		v := a.view.Load()
		if err := a.checkPassword(ctx, v, r.Name, password); err != nil {
			if errors.Is(err, state.ErrAuthFailed) || errors.Is(err, state.ErrNoPasswordUser) {
				a.logFailedLogin(r.Name)
			}
			return nil, err
		}
		response, err := a.grantToken(ctx, v, r.Name)
		// The password may have been changed since it was compared.
		if err != nil || a.view.Load().AuthRevision() == v.AuthRevision() {
			return response, err
		}
	}
}

// logFailedLogin logs rarely. Names are what clients give, and a client that guesses
// them, or passwords, does it many times.
func (a *authService) logFailedLogin(name string) {
	name = throttle.Cut(name)
	if left, ok := a.failedLogins.Allow(name); ok {
		a.logger.WithField("user", name).Warn("a login failed" + left)
	}
}

func (a *authService) checkPassword(ctx context.Context, v *state.View, name, password string) error {
	if !v.AuthEnabled() {
		return state.ErrAuthNotEnabled
	}
	u, found := v.User(name)
	switch {
	case !found:
		return state.ErrAuthFailed
	case u.GetOptions().GetNoPassword():
		return state.ErrNoPasswordUser
	}
	done, err := a.auth.passwords.Turn(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	if bcrypt.CompareHashAndPassword(u.Password, []byte(password)) != nil {
		return state.ErrAuthFailed
	}
	return nil
}

// grantToken makes a token. A simple one goes through the log, so that every
// zkine knows it. A JSON web token is signed, and need not.
func (a *authService) grantToken(ctx context.Context, v *state.View, name string) (*pb.AuthenticateResponse, error) {
	if j := a.auth.cfg.JWT; j != nil {
		t, err := j.Sign(name, v.AuthRevision())
		if err != nil {
			return nil, err
		}
		return &pb.AuthenticateResponse{Header: &pb.ResponseHeader{Revision: int64(v.Rev())}, Token: t}, nil
	}
	r := &pb.InternalAuthenticateRequest{Name: name, SimpleToken: token.Random()}
	return proposeUnsigned[*pb.AuthenticateResponse](ctx, a.proposer, &recordpb.Request{Kind: &recordpb.Request_Authenticate{Authenticate: r}})
}

// hash is a password's hash, as the log has it. Errors: bcrypt's, for one that is
// too long; the cause of ctx's end.
func (a *authService) hash(ctx context.Context, password string) (string, error) {
	done, err := a.auth.passwords.Turn(ctx, token.NewNames)
	if err != nil {
		return "", err
	}
	defer done()
	cost := a.auth.cfg.BcryptCost
	if cost == 0 {
		cost = bcrypt.DefaultCost
	}
	h, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	return base64.StdEncoding.EncodeToString(h), err
}

// UserAdd adds a user.
func (a *authService) UserAdd(ctx context.Context, r *pb.AuthUserAddRequest) (*pb.AuthUserAddResponse, error) {
	if !r.GetOptions().GetNoPassword() {
		var err error
		if r.HashedPassword, err = a.hash(ctx, r.Password); err != nil {
			return nil, err
		}
	}
	r.Password = ""
	return propose[*pb.AuthUserAddResponse](ctx, a.calls, r, &recordpb.Request{Kind: &recordpb.Request_AuthUserAdd{AuthUserAdd: r}})
}

// UserChangePassword sets a user's password. As in etcd, with an empty password
// the hash is the one in the request.
func (a *authService) UserChangePassword(ctx context.Context, r *pb.AuthUserChangePasswordRequest) (*pb.AuthUserChangePasswordResponse, error) {
	if r.Password != "" {
		var err error
		if r.HashedPassword, err = a.hash(ctx, r.Password); err != nil {
			return nil, err
		}
	}
	r.Password = ""
	return propose[*pb.AuthUserChangePasswordResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthUserChangePassword{AuthUserChangePassword: r}})
}

// UserDelete deletes a user. Its tokens end.
func (a *authService) UserDelete(ctx context.Context, r *pb.AuthUserDeleteRequest) (*pb.AuthUserDeleteResponse, error) {
	return propose[*pb.AuthUserDeleteResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthUserDelete{AuthUserDelete: r}})
}

// UserGrantRole gives a role to a user.
func (a *authService) UserGrantRole(ctx context.Context, r *pb.AuthUserGrantRoleRequest) (*pb.AuthUserGrantRoleResponse, error) {
	return propose[*pb.AuthUserGrantRoleResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthUserGrantRole{AuthUserGrantRole: r}})
}

// UserRevokeRole takes a role from a user.
func (a *authService) UserRevokeRole(ctx context.Context, r *pb.AuthUserRevokeRoleRequest) (*pb.AuthUserRevokeRoleResponse, error) {
	return propose[*pb.AuthUserRevokeRoleResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthUserRevokeRole{AuthUserRevokeRole: r}})
}

// RoleAdd adds a role without permissions.
func (a *authService) RoleAdd(ctx context.Context, r *pb.AuthRoleAddRequest) (*pb.AuthRoleAddResponse, error) {
	return propose[*pb.AuthRoleAddResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthRoleAdd{AuthRoleAdd: r}})
}

// RoleDelete deletes a role, and takes it from all users.
func (a *authService) RoleDelete(ctx context.Context, r *pb.AuthRoleDeleteRequest) (*pb.AuthRoleDeleteResponse, error) {
	return propose[*pb.AuthRoleDeleteResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthRoleDelete{AuthRoleDelete: r}})
}

// RoleGrantPermission gives a permission to a role.
func (a *authService) RoleGrantPermission(ctx context.Context, r *pb.AuthRoleGrantPermissionRequest) (*pb.AuthRoleGrantPermissionResponse, error) {
	return propose[*pb.AuthRoleGrantPermissionResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthRoleGrantPermission{AuthRoleGrantPermission: r}})
}

// RoleRevokePermission takes a permission from a role.
func (a *authService) RoleRevokePermission(ctx context.Context, r *pb.AuthRoleRevokePermissionRequest) (*pb.AuthRoleRevokePermissionResponse, error) {
	return propose[*pb.AuthRoleRevokePermissionResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthRoleRevokePermission{AuthRoleRevokePermission: r}})
}

// AuthEnable has every call asked for its user from then on.
func (a *authService) AuthEnable(ctx context.Context, r *pb.AuthEnableRequest) (*pb.AuthEnableResponse, error) {
	return propose[*pb.AuthEnableResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthEnable{AuthEnable: r}})
}

// AuthDisable opens the API to all callers. All tokens end.
func (a *authService) AuthDisable(ctx context.Context, r *pb.AuthDisableRequest) (*pb.AuthDisableResponse, error) {
	return propose[*pb.AuthDisableResponse](ctx, a.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_AuthDisable{AuthDisable: r}})
}

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
