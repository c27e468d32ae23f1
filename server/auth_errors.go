package server

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/token"
)

// authAnswers are those of answers that are about users and roles. For the last
// ones etcd has no code of its own, and sends the errors' own words.
var authAnswers = []answer{
	{state.ErrPermissionDenied, rpctypes.ErrGRPCPermissionDenied},
	{state.ErrUserEmpty, rpctypes.ErrGRPCUserEmpty},
	{state.ErrAuthOldRevision, rpctypes.ErrGRPCAuthOldRevision},
	{backend.ErrInvalidAuthToken, rpctypes.ErrGRPCInvalidAuthToken},
	{state.ErrAuthFailed, rpctypes.ErrGRPCAuthFailed},
	{state.ErrAuthNotEnabled, rpctypes.ErrGRPCAuthNotEnabled},
	{state.ErrRootUserNotExist, rpctypes.ErrGRPCRootUserNotExist},
	{state.ErrRootRoleNotExist, rpctypes.ErrGRPCRootRoleNotExist},
	{state.ErrInvalidAuthMgmt, rpctypes.ErrGRPCInvalidAuthMgmt},
	{state.ErrUserAlreadyExist, rpctypes.ErrGRPCUserAlreadyExist},
	{state.ErrUserNotFound, rpctypes.ErrGRPCUserNotFound},
	{state.ErrRoleEmpty, rpctypes.ErrGRPCRoleEmpty},
	{state.ErrRoleAlreadyExist, rpctypes.ErrGRPCRoleAlreadyExist},
	{state.ErrRoleNotFound, rpctypes.ErrGRPCRoleNotFound},
	{state.ErrRoleNotGranted, rpctypes.ErrGRPCRoleNotGranted},
	{state.ErrPermissionNotGiven, rpctypes.ErrGRPCPermissionNotGiven},
	{state.ErrPermissionNotGranted, rpctypes.ErrGRPCPermissionNotGranted},

	{state.ErrNoPasswordUser, status.Error(codes.Unknown, "auth: authentication failed, password was given for no password user")},
	{token.ErrVerifyOnly, status.Error(codes.Unknown, "auth: token signing attempted with verify-only key")},
	{bcrypt.ErrPasswordTooLong, status.Error(codes.Unknown, bcrypt.ErrPasswordTooLong.Error())},
}

// watchRefusal is what a watch is told that its client may not have; false for
// an error that says nothing about that.
func watchRefusal(err error) (reason string, refused bool) {
	for _, sentinel := range []error{
		state.ErrPermissionDenied, state.ErrUserEmpty, state.ErrAuthOldRevision, backend.ErrInvalidAuthToken,
	} {
		if errors.Is(err, sentinel) {
			return toGRPC(context.Background(), err).Error(), true
		}
	}
	return "", false
}
