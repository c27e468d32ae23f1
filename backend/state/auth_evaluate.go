package state

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// AuthChangeKind says what happened to tokens.
type AuthChangeKind uint8

const (
	// TokenGranted: the token stands for the user from now on.
	TokenGranted AuthChangeKind = iota + 1
	// UserInvalidated: no token stands for the user any more.
	UserInvalidated
	// AuthDisabled: no token stands for a user any more.
	AuthDisabled
)

// AuthChange is what happened to tokens, for the package that keeps them. Tokens
// are no part of the state: each zkine lets one end some time after it was last
// used there.
type AuthChange struct {
	Kind        AuthChangeKind
	User, Token string
}

// evaluateAuth evaluates the requests about users and roles, as etcd does in
// auth/store.go.
func (m *Machine) evaluateAuth(r *recordpb.Request) (proto.Message, error) {
	switch kind := r.GetKind().(type) {
	case *recordpb.Request_Authenticate:
		return call(kind.Authenticate, m.authenticate)
	case *recordpb.Request_AuthEnable:
		return call(kind.AuthEnable, m.authEnable)
	case *recordpb.Request_AuthDisable:
		return call(kind.AuthDisable, always(m.authDisable))
	case *recordpb.Request_AuthUserAdd:
		return call(kind.AuthUserAdd, m.userAdd)
	case *recordpb.Request_AuthUserDelete:
		return call(kind.AuthUserDelete, m.userDelete)
	case *recordpb.Request_AuthUserChangePassword:
		return call(kind.AuthUserChangePassword, m.userChangePassword)
	case *recordpb.Request_AuthUserGrantRole:
		return call(kind.AuthUserGrantRole, m.userGrantRole)
	case *recordpb.Request_AuthUserRevokeRole:
		return call(kind.AuthUserRevokeRole, m.userRevokeRole)
	case *recordpb.Request_AuthRoleAdd:
		return call(kind.AuthRoleAdd, m.roleAdd)
	case *recordpb.Request_AuthRoleDelete:
		return call(kind.AuthRoleDelete, m.roleDelete)
	case *recordpb.Request_AuthRoleGrantPermission:
		return call(kind.AuthRoleGrantPermission, m.roleGrantPermission)
	case *recordpb.Request_AuthRoleRevokePermission:
		return call(kind.AuthRoleRevokePermission, m.roleRevokePermission)
	}
	return nil, ErrUnknownRequest
}

func (m *Machine) noteAuth(c AuthChange) { m.authChanges = append(m.authChanges, c) }

// authenticate grants a token. The zkine that accepted the request has compared
// the password, and looks afterwards whether the auth revision is still the same.
// The token ends with its place in the log, as etcd's end with the raft index: so
// a zkine that does not know a token can tell whether it is behind.
func (m *Machine) authenticate(r *pb.InternalAuthenticateRequest) (*pb.AuthenticateResponse, error) {
	u := m.auth.user(r.Name)
	switch {
	case !m.auth.enabled:
		return nil, ErrAuthNotEnabled
	case u == nil || u.GetOptions().GetNoPassword():
		return nil, ErrAuthFailed
	}
	token := fmt.Sprintf("%s.%d", r.SimpleToken, m.seq.Index())
	m.noteAuth(AuthChange{Kind: TokenGranted, User: r.Name, Token: token})
	return &pb.AuthenticateResponse{Header: m.header(), Token: token}, nil
}

// authEnable does not count into the auth revision.
func (m *Machine) authEnable(*pb.AuthEnableRequest) (*pb.AuthEnableResponse, error) {
	if root := m.auth.user(rootName); m.auth.enabled {
		// Nothing to do.
	} else if root == nil {
		return nil, ErrRootUserNotExist
	} else if !root.hasRole(rootName) {
		return nil, ErrRootRoleNotExist
	}
	m.auth.enabled = true
	return &pb.AuthEnableResponse{Header: m.header()}, nil
}

func (m *Machine) authDisable(*pb.AuthDisableRequest) *pb.AuthDisableResponse {
	if m.auth.enabled {
		m.auth.enabled = false
		m.auth.changes++
		m.noteAuth(AuthChange{Kind: AuthDisabled})
	}
	return &pb.AuthDisableResponse{Header: m.header()}
}
