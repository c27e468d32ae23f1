package etcddb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// tempPrefix begins the names of temporary files, while they have names.
const tempPrefix = "zkine-snapshot-"

// tempFile is a file that has no name any more, opened twice: what writes it
// closes its own. Nothing of it is left when both are closed, however the
// process ends.
type tempFile struct {
	write *os.File
	read  *readFile
}

// readFile is what reads a temporary file.
type readFile struct {
	*os.File
	// name is what it is removed by once it is closed, the last: Windows removes
	// no file that is open.
	name string
}

// Close closes it, and removes it if it still has a name.
func (f *readFile) Close() error {
	err := f.File.Close()
	if f.name != "" {
		err = errors.Join(err, os.Remove(f.name))
	}
	return err
}

// newTempFile makes one in a folder; "" is the system's folder for such.
// Error: ErrTempDir.
func newTempFile(dir string) (tempFile, error) {
	write, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return tempFile{}, tempError(err)
	}
	f := tempFile{write: write, read: &readFile{}}
	f.read.File, err = os.Open(write.Name())
	if runtime.GOOS == "windows" && err == nil {
		f.read.name = write.Name()
		return f, nil
	}
	if err := errors.Join(err, os.Remove(write.Name())); err != nil {
		return tempFile{}, tempError(errors.Join(err, f.Close()))
	}
	return f, nil
}

func (f tempFile) Close() error {
	err := f.write.Close()
	if f.read.File != nil {
		err = errors.Join(err, f.read.Close())
	}
	return err
}

// tempError is what is wrong with the folder, and what an operator can do.
func tempError(err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %w; make room there, or name another folder with --temp-dir", ErrTempDirFull, err)
		}
	}
	return fmt.Errorf("%w: %w; name another one with --temp-dir", ErrTempDir, err)
}

// leftover is how old a file with a name must be to be one that a process left
// behind: else it loses its name within a moment.
const leftover = time.Minute

// CheckTempDir says whether temporary files can be made in a folder, "" for the
// system's, and removes what earlier processes have left there. Errors:
// ErrTempDir, ErrTempDirFull.
func CheckTempDir(dir string) error {
	sweepTempDir(dir)
	f, err := newTempFile(dir)
	if err != nil {
		return err
	}
	if _, err = f.write.Write(make([]byte, os.Getpagesize())); err != nil {
		err = tempError(err)
	}
	return errors.Join(err, f.Close())
}

// sweepTempDir removes leftovers. What cannot be removed is another user's, and
// does no harm.
func sweepTempDir(dir string) {
	if dir == "" {
		dir = os.TempDir()
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // newTempFile says what is wrong
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > leftover {
			os.Remove(filepath.Join(dir, e.Name())) // see above
		}
	}
}
