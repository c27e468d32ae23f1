package durable

import (
	"errors"
	"io/fs"
	"os"
)

// Link gives a file another name, which must not be there: an error that is
// fs.ErrExist says that it is. The file may keep its first name, too. A file system
// without hard links cannot tell of a name that comes at this very moment, and there
// it is replaced.
func Link(from, to string) error {
	err := os.Link(from, to)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		if _, err := os.Lstat(to); err == nil {
			return &os.PathError{Op: "write", Path: to, Err: fs.ErrExist}
		}
		return os.Rename(from, to)
	}
	return err
}
