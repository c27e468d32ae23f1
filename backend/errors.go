package backend

import "errors"

var (
	// ErrClosed says that the backend was closed.
	ErrClosed = errors.New("backend: closed")
	// ErrTooManyRequests says that more requests wait to be appended than
	// makes sense to keep.
	ErrTooManyRequests = errors.New("backend: too many requests")
	// ErrInvalidAuthToken says that a token stands for no user, or not any more.
	ErrInvalidAuthToken = errors.New("backend: invalid auth token")
)
