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
	// ErrAuthNotEnabled says that nobody can log in while it is disabled.
	ErrAuthNotEnabled = errors.New("state: authentication is not enabled")
	// ErrInvalidAuthMgmt says that the change would lock everybody out, or that
	// a permission was to be given on a range that is none.
	ErrInvalidAuthMgmt = errors.New("state: invalid auth management")

	// ErrUserEmpty says that a user to be added has no name; or that the
	// requester did not say who he is.
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

	// ErrAuthFailed says that there is no such user, or that it is not its
	// password.
	ErrAuthFailed = errors.New("state: authentication failed")
	// ErrNoPasswordUser says that somebody wants to log in as a user who has no
	// password, or that the hash of a password is none.
	ErrNoPasswordUser = errors.New("state: password was given for no password user")
	// ErrPermissionDenied says that the requester may not do that.
	ErrPermissionDenied = errors.New("state: permission denied")
	// ErrAuthOldRevision says that users or roles have changed since it was
	// established who asks. The client is to log in again.
	ErrAuthOldRevision = errors.New("state: auth revision in header is old")
)
