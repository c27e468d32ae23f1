package archive

import (
	"context"
	"errors"
	"iter"
)

// Store keeps objects under names like "a/b-1": letters of a to z, digits, slashes,
// dashes and dots. It may be used by several at once.
//
// Errors say what is wrong in one line, and name the place; they wrap those below
// where these fit.
type Store interface {
	// Put stores an object whole or not at all, and durably. ErrExists: there is one
	// of that name, which stays as it is.
	Put(ctx context.Context, name string, data []byte) error

	// Get returns an object, which belongs to the caller. ErrNotFound; ErrTooLarge, if
	// it has more than so many bytes.
	Get(ctx context.Context, name string, most int64) ([]byte, error)

	// List yields the objects whose names begin with a prefix that ends with a slash,
	// or is empty, in no order. It stops after the first error.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Remove removes an object; one that is not there is removed.
	Remove(ctx context.Context, name string) error

	// String names the place, without secrets.
	String() string
}

// Object is what a list says of one.
type Object struct {
	Name string
	Size int64 // bytes
}

// Errors of a Store.
var (
	// ErrExists says that there is an object of that name.
	ErrExists = errors.New("archive: there is such an object")
	// ErrNotFound says that there is none.
	ErrNotFound = errors.New("archive: no such object")
	// ErrTooLarge says that an object has more bytes than zkine writes.
	ErrTooLarge = errors.New("archive: object is too large")
)

// Errors of an archive. Each is wrapped in text that names the object or the place.
var (
	// ErrForeign says that the place holds something else than an archive.
	ErrForeign = errors.New("archive: not an archive of zkine's")
	// ErrNewerFormat says that a newer zkine wrote it.
	ErrNewerFormat = errors.New("archive: written by a newer zkine")
	// ErrCorrupt says that an object is not what was written.
	ErrCorrupt = errors.New("archive: corrupt")
	// ErrHole says that a part of the log is missing.
	ErrHole = errors.New("archive: a part of the log is missing")
	// ErrEmpty says that there is nothing to read.
	ErrEmpty = errors.New("archive: empty")
	// ErrManyClusters says that the archive has several, of which one is to be named.
	ErrManyClusters = errors.New("archive: it holds several clusters")
	// ErrTooEarly says that the archive begins later than what is asked for.
	ErrTooEarly = errors.New("archive: it begins later")
	// ErrDiverged says that the root's log is not the one of which the archive has a
	// part.
	ErrDiverged = errors.New("archive: the root's log is another one than was archived")
)
