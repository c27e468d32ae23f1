package etcddb

import "errors"

// Errors of making or reading a snapshot. Their texts begin as those of package
// backend, through which they come.
var (
	// ErrTempDir says that no file can be made in the folder for temporary ones,
	// or that it cannot be written or read.
	ErrTempDir = errors.New("backend: the folder for temporary files cannot be used")
	// ErrTempDirFull says that the folder for temporary files has no room.
	ErrTempDirFull = errors.New("backend: the folder for temporary files is full")
	// ErrTooManySnapshots says that as many snapshots are made or read as may be.
	ErrTooManySnapshots = errors.New("backend: too many snapshots at once")
)

// errUnwanted ends the making of a file for which no client waits any more.
var errUnwanted = errors.New("backend: no client waits for the snapshot")
