package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/durable"
)

// folder keeps each object in a file of its own. A file is written under another name,
// which begins with a dot, and then linked to its own: that fails if there is one.
type folder struct {
	path string
	// create says that the folder is made if it is missing, but not the one above: a
	// disk that is not mounted is no reason to fill another.
	create bool
}

// String implements archive.Store.
func (f folder) String() string { return "folder " + f.path }

// file is the path of an object.
func (f folder) file(name string) (string, error) {
	if !validName(name) {
		return "", fmt.Errorf("%w: %q", errName, name)
	}
	return filepath.Join(f.path, filepath.FromSlash(name)), nil
}

// Put implements archive.Store.
func (f folder) Put(_ context.Context, name string, data []byte) error {
	path, err := f.file(name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%w: %s", archive.ErrExists, path)
	}
	if err := f.makeFolders(filepath.Dir(path)); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), unfinished+"*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // its own name, if it has one by then, stays
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := durable.Link(temp.Name(), path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", archive.ErrExists, path)
	} else if err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

// unfinished is what files begin with that are being written.
const unfinished = ".unfinished-"

// makeFolders makes a folder and those above it, durably.
func (f folder) makeFolders(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if path != f.path {
		if err := f.makeFolders(filepath.Dir(path)); err != nil {
			return err
		}
	} else if !f.create {
		return fmt.Errorf("%v: %w", f, fs.ErrNotExist)
	}
	err := os.Mkdir(path, 0o700)
	if path == f.path && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s, in which the archive is to be made; mount its disk, or make it", fs.ErrNotExist, filepath.Dir(path))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

// Get implements archive.Store.
func (f folder) Get(_ context.Context, name string, most int64) ([]byte, error) {
	path, err := f.file(name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", archive.ErrNotFound, path)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%w: %s has %d bytes", archive.ErrTooLarge, path, info.Size())
	}
	return io.ReadAll(io.LimitReader(file, most))
}

// List implements archive.Store.
func (f folder) List(ctx context.Context, prefix string) iter.Seq2[archive.Object, error] {
	return func(yield func(archive.Object, error) bool) {
		stopped := errors.New("stopped")
		top := filepath.Join(f.path, filepath.FromSlash(prefix))
		if _, err := os.Stat(f.path); err != nil && !f.create {
			yield(archive.Object{}, err)
			return
		}
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it was removed since, or never was there
			}
			if err != nil || ctx.Err() != nil {
				return errors.Join(err, ctx.Err())
			}
			if entry.IsDir() || strings.HasPrefix(entry.Name(), unfinished) {
				return nil
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			name, err := filepath.Rel(f.path, path)
			if err == nil && !yield(archive.Object{Name: filepath.ToSlash(name), Size: info.Size()}, nil) {
				return stopped
			}
			return err
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(archive.Object{}, fmt.Errorf("list %s: %w", top, err))
		}
	}
}

// Remove implements archive.Store. Folders that are empty then go, too.
func (f folder) Remove(_ context.Context, name string) error {
	path, err := f.file(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for up := filepath.Dir(path); up != f.path && os.Remove(up) == nil; up = filepath.Dir(up) {
	}
	return nil
}
