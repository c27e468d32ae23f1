package state

import "errors"

// Errors of authentication and authorization. Each is one of etcd's.
var (
	// ErrRootUserNotExist says that authentication cannot be enabled without a
	// user root.
	ErrRootUserNotExist = errors.New("state: root user does not exist")
	// ErrRootRoleNotExist says that it cannot be enabled while the user root
	// does not have the role root.
	ErrRootRoleNotExist = errors.New("state: root user does not have root role")
	// ErrAuthNotEnabled says that no user can log in while authentication is
	// disabled.
	ErrAuthNotEnabled = errors.New("state: authentication is not enabled")
	// ErrInvalidAuthMgmt says that the change would lock all users out, or that the
	// range of a permission is not valid.
	ErrInvalidAuthMgmt = errors.New("state: invalid auth management")

	// ErrUserEmpty says that a user to be added has no name, or that the requester
	// showed no credentials.
	ErrUserEmpty        = errors.New("state: user name is empty")
	ErrUserAlreadyExist = errors.New("state: user already exists")
	ErrUserNotFound     = errors.New("state: user not found")
	ErrRoleEmpty        = errors.New("state: role name is empty")
	ErrRoleAlreadyExist = errors.New("state: role already exists")
	ErrRoleNotFound     = errors.New("state: role not found")
	// ErrRoleNotGranted says that a role to be revoked was not granted.
	ErrRoleNotGranted = errors.New("state: role is not granted to the user")
	// ErrPermissionNotGiven says that a grant names no permission.
	ErrPermissionNotGiven = errors.New("state: permission not given")
	// ErrPermissionNotGranted says that a permission to be revoked was not
	// granted.
	ErrPermissionNotGranted = errors.New("state: permission is not granted to the role")

	// ErrAuthFailed says that the user does not exist, or that the password is
	// wrong.
	ErrAuthFailed = errors.New("state: authentication failed")
	// ErrNoPasswordUser says that a login is for a user without a password, or that
	// the hash of a password is not valid.
	ErrNoPasswordUser = errors.New("state: password was given for no password user")
	// ErrPermissionDenied says that the requester may not do that.
	ErrPermissionDenied = errors.New("state: permission denied")
	// ErrAuthOldRevision says that users or roles have changed since the requester
	// was identified. The client is to log in again.
	ErrAuthOldRevision = errors.New("state: auth revision in header is old")
)
