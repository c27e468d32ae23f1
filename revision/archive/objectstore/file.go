package objectstore

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/durable"
)

// An archive in one file is a zip of the objects, as they are: they are compressed
// already. Other programs can look into it, and its directory, at the end, tells a file
// that was cut.

// errReadOnly says that a file is only read.
var errReadOnly = errors.New("objectstore: a file that was written is not changed")

// errFile says that a file cannot be read as an archive.
var errFile = errors.New("it is truncated, or no archive of zkine's in one file")

// fileStore reads a file.
type fileStore struct {
	path    string
	objects map[string]*zip.File
}

// OpenFile reads a file that CreateFile has written. Errors: those of os, and that it is
// none.
func OpenFile(path string) (archive.Store, error) {
	reader, err := zip.OpenReader(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w (%w)", path, errFile, err)
	}
	f := &fileStore{path, map[string]*zip.File{}}
	for _, object := range reader.File {
		if !validName(object.Name) || object.Method != zip.Store || f.objects[object.Name] != nil {
			reader.Close()
			return nil, fmt.Errorf("%s: %w: it holds %.80q", path, errFile, object.Name)
		}
		f.objects[object.Name] = object
	}
	return f, nil // open for as long as the process runs: a command reads one
}

// String implements archive.Store.
func (f *fileStore) String() string { return "file " + f.path }

// Put implements archive.Store.
func (f *fileStore) Put(context.Context, string, []byte) error { return errReadOnly }

// Remove implements archive.Store.
func (f *fileStore) Remove(context.Context, string) error { return errReadOnly }

// Get implements archive.Store.
func (f *fileStore) Get(_ context.Context, name string, most int64) ([]byte, error) {
	object := f.objects[name]
	if object == nil {
		return nil, fmt.Errorf("%w: %s in %v", archive.ErrNotFound, name, f)
	}
	if object.UncompressedSize64 > uint64(most) {
		return nil, fmt.Errorf("%w: %s has %d bytes", archive.ErrTooLarge, name, object.UncompressedSize64)
	}
	r, err := object.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", f.path, archive.ErrCorrupt, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w: %w", f.path, name, archive.ErrCorrupt, err)
	}
	return data, nil
}

// List implements archive.Store.
func (f *fileStore) List(_ context.Context, prefix string) iter.Seq2[archive.Object, error] {
	return func(yield func(archive.Object, error) bool) {
		for name, object := range f.objects {
			if len(name) >= len(prefix) && name[:len(prefix)] == prefix &&
				!yield(archive.Object{Name: name, Size: int64(object.UncompressedSize64)}, nil) {
				return
			}
		}
	}
}

// NewFile is an archive in one file that is being written: under another name, until
// Commit. It is for one archiver.
type NewFile struct {
	path string
	mu   sync.Mutex
	file *os.File
	zip  *zip.Writer
	at   *counter
	// spans are where objects lie in the file.
	spans map[string]span
}

type span struct{ from, size int64 }

// counter counts what goes into a file.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

// CreateFile begins a file. It refuses one that is there. Commit or Discard must follow.
func CreateFile(path string) (*NewFile, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+unfinished+"*")
	if err != nil {
		return nil, err
	}
	at := &counter{Writer: file}
	return &NewFile{path: path, file: file, at: at, zip: zip.NewWriter(at), spans: map[string]span{}}, nil
}

// String implements archive.Store.
func (f *NewFile) String() string { return "file " + f.path }

// Put implements archive.Store. It is durable once Commit has returned.
func (f *NewFile) Put(_ context.Context, name string, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !validName(name) {
		return fmt.Errorf("%w: %q", errName, name)
	}
	if _, exists := f.spans[name]; exists {
		return fmt.Errorf("%w: %s", archive.ErrExists, name)
	}
	size := uint64(len(data))
	w, err := f.zip.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data), CompressedSize64: size, UncompressedSize64: size})
	if err == nil {
		err = f.zip.Flush()
	}
	if err != nil {
		return err
	}
	f.spans[name] = span{f.at.n, int64(len(data))}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return f.zip.Flush()
}

// Get implements archive.Store.
func (f *NewFile) Get(_ context.Context, name string, most int64) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, exists := f.spans[name]
	if !exists {
		return nil, fmt.Errorf("%w: %s in %v", archive.ErrNotFound, name, f)
	}
	if s.size > most {
		return nil, fmt.Errorf("%w: %s has %d bytes", archive.ErrTooLarge, name, s.size)
	}
	data := make([]byte, s.size)
	_, err := f.file.ReadAt(data, s.from)
	return data, err
}

// List implements archive.Store.
func (f *NewFile) List(_ context.Context, prefix string) iter.Seq2[archive.Object, error] {
	return func(yield func(archive.Object, error) bool) {
		f.mu.Lock()
		var objects []archive.Object
		for name, s := range f.spans {
			if len(name) >= len(prefix) && name[:len(prefix)] == prefix {
				objects = append(objects, archive.Object{Name: name, Size: s.size})
			}
		}
		f.mu.Unlock()
		for _, object := range objects {
			if !yield(object, nil) {
				return
			}
		}
	}
}

// Remove implements archive.Store.
func (f *NewFile) Remove(context.Context, string) error { return errReadOnly }

// Commit has the file take its name. If there is a file of that name by now, that stays,
// and Commit fails.
func (f *NewFile) Commit() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer os.Remove(f.file.Name()) // its own name stays
	err := f.zip.Close()
	if err == nil {
		err = f.file.Sync()
	}
	if err = errors.Join(err, f.file.Close()); err != nil {
		return err
	}
	if err := durable.Link(f.file.Name(), f.path); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(f.path))
}

// Discard removes what was written. After Commit it does nothing.
func (f *NewFile) Discard() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.file.Close()
	os.Remove(f.file.Name())
}
