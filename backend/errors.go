package backend

import "errors"

var (
	// ErrClosed says that the backend was closed.
	ErrClosed = errors.New("backend: closed")
	// ErrTooManyRequests says that more requests wait to be appended than
	// makes sense to keep.
	ErrTooManyRequests = errors.New("backend: too many requests")
	// ErrInvalidAuthToken says that a token stands for nobody, or not any more.
	ErrInvalidAuthToken = errors.New("backend: invalid auth token")
	// ErrTempDir says that no file can be made in the folder for temporary ones,
	// or that it cannot be written or read.
	ErrTempDir = errors.New("backend: the folder for temporary files cannot be used")
	// ErrTempDirFull says that the folder for temporary files has no room.
	ErrTempDirFull = errors.New("backend: the folder for temporary files is full")
	// ErrTooManySnapshots says that as many snapshots are made or read as may be.
	ErrTooManySnapshots = errors.New("backend: too many snapshots at once")
	// ErrUnconfirmed says that no checkpoint was written, since no other member
	// has confirmed the state of this one in time.
	ErrUnconfirmed = errors.New("backend: no other member has confirmed the state of this one; see whether all members are well")
)
