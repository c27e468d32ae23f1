package transfer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Errors of OpenSnapshot. Each is wrapped in text that says what is wrong, and ends
// with what to do.
var (
	// ErrNotSnapshot says that a file is no snapshot of an etcd.
	ErrNotSnapshot = errors.New("transfer: not a snapshot of etcd")
	// ErrDamaged says that a file was one, and is cut short or changed.
	ErrDamaged = errors.New("transfer: the snapshot is damaged")
	// ErrNoHash says that a file has no hash at its end.
	ErrNoHash = errors.New("transfer: the snapshot has no hash")
)

// SnapshotOptions say how a snapshot file is read.
type SnapshotOptions struct {
	// SkipHash takes a file without etcd's hash at its end, and does not look at one
	// that is there; as etcdutl's --skip-hash-check.
	SkipHash bool
	// Raised says that the revision will be raised, or the history left out: it may
	// then have holes.
	Raised bool
	// Read is told how many bytes were read so far while the hash is checked; nil for none.
	Read func(bytes int64)
}

// Snapshot is an etcd's snapshot file: what etcdctl snapshot save has saved, or k3s. It
// is only read; nothing else may change it until Close.
type Snapshot struct {
	file *os.File
	db   *bbolt.DB
	tx   *bbolt.Tx
	// Size is the file's, in bytes, and Sum names its content: the same sum is the same
	// content. Hashed says that etcd's hash at its end was checked.
	Size   int64
	Sum    string
	Hashed bool
	// LeftOut is what the file says of the cluster that it is of, and which is no part
	// of the state: for people, one phrase each.
	LeftOut []string

	contents *Contents
	index    *index
}

// OpenSnapshot opens and checks a snapshot file, and reads what keys it has; values
// are read when Contents are asked for them. Errors: ErrNotSnapshot, ErrDamaged,
// ErrNoHash, ErrHoles, those of opening a file, and the cause of ctx's end.
func OpenSnapshot(ctx context.Context, path string, o SnapshotOptions) (*Snapshot, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{file: file}
	err = s.open(ctx, path, o)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Contents is what the snapshot holds. It is good until Close, and asking for keys a
// second time yields the same.
func (s *Snapshot) Contents() *Contents { return s.contents }

// Versions is how many versions of keys the file holds, those that a compaction has
// made unreadable too.
func (s *Snapshot) Versions() int { return len(s.index.entries) }

// Close gives the file up.
func (s *Snapshot) Close() error { return s.file.Close() }

func (s *Snapshot) open(ctx context.Context, path string, o SnapshotOptions) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is no file; name what etcdctl snapshot save has written", ErrNotSnapshot)
	}
	s.Size = info.Size()
	if err := s.recognise(); err != nil {
		return err
	}
	data, err := s.check(ctx, o)
	if err != nil {
		return err
	}
	// From here on it is a file like any other: a mapping would count as memory.
	err = s.openDatabase(path, data)
	if err == nil {
		err = s.read(o)
	}
	return errors.Join(err, s.closeDatabase())
}

// pageHead is where bbolt's magic number lies: behind the head of the first page.
const pageHead, boltMagic = 16, 0xED0CDAED

// strangers are files that people take for snapshots, by what they begin with.
var strangers = []struct{ begins, is string }{
	{"SQLite format 3\x00", "an SQLite database, as kine and k3s keep it; start kine on it, and import from its --endpoints"},
	{"PK\x03\x04", "a zip archive, as k3s writes with etcd-snapshot-compress; unpack it, and import the file in it"},
	{"\x1f\x8b", "compressed with gzip; unpack it, and import the file in it"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it, and import the file in it"},
	{"PGDMP", "a dump of PostgreSQL; start kine on the database, and import from its --endpoints"},
	{"--", "a text, perhaps an SQL dump of kine's database; start kine on the database, and import from its --endpoints"},
}

// recognise refuses what is no bbolt file, by name.
func (s *Snapshot) recognise() error {
	head := make([]byte, pageHead+4)
	if n, err := s.file.ReadAt(head, 0); errors.Is(err, io.EOF) {
		if n == 0 {
			return fmt.Errorf("%w: the file is empty; save it again", ErrDamaged)
		}
	} else if err != nil {
		return err
	}
	for _, stranger := range strangers {
		if bytes.HasPrefix(head, []byte(stranger.begins)) {
			return fmt.Errorf("%w: it is %s", ErrNotSnapshot, stranger.is)
		}
	}
	if magic := binary.NativeEndian.Uint32(head[pageHead:]); magic != boltMagic {
		return fmt.Errorf("%w: it is no bbolt database; name what etcdctl snapshot save has written", ErrNotSnapshot)
	}
	return nil
}

// check reads all of the file, and compares its hash with etcd's at its end. It
// returns how long the database is.
func (s *Snapshot) check(ctx context.Context, o SnapshotOptions) (data int64, err error) {
	data = s.Size
	// As etcdutl tells: a database is a number of pages.
	has := s.Size%512 == sha256.Size
	if has {
		data -= sha256.Size
	}
	if !has && !o.SkipHash {
		return 0, fmt.Errorf("%w: it was cut short, or copied from an etcd's data folder; save it with etcdctl snapshot save, or add --skip-hash-check", ErrNoHash)
	}
	sum, err := s.hash(ctx, data, o.Read)
	if err != nil {
		return 0, err
	}
	s.Sum = fmt.Sprintf("%x", sum)
	if !has || o.SkipHash {
		return data, nil
	}
	want := make([]byte, sha256.Size)
	if _, err := s.file.ReadAt(want, data); err != nil {
		return 0, err
	}
	if !bytes.Equal(sum, want) {
		return 0, fmt.Errorf("%w: its sha256 is %x, and etcd wrote %x at its end; fetch it again (etcdutl hashkv changes the file that it looks at)", ErrDamaged, sum, want)
	}
	s.Hashed = true
	return data, nil
}

// hashStep is how much of the file is read at a time.
const hashStep = 1 << 20

func (s *Snapshot) hash(ctx context.Context, size int64, read func(int64)) ([]byte, error) {
	h, buffer := sha256.New(), make([]byte, hashStep)
	for at := int64(0); at < size; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		n, err := s.file.ReadAt(buffer[:min(hashStep, size-at)], at)
		if err != nil && (n == 0 || !errors.Is(err, io.EOF)) {
			return nil, err
		}
		h.Write(buffer[:n])
		if at += int64(n); read != nil {
			read(at)
		}
	}
	return h.Sum(nil), nil
}

// closeDatabase takes the mapping away.
func (s *Snapshot) closeDatabase() (err error) {
	if s.tx != nil {
		err = s.tx.Rollback()
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	s.tx, s.db = nil, nil
	return err
}

// openDatabase maps the file, by a handle of its own, which bbolt closes.
func (s *Snapshot) openDatabase(path string, size int64) error {
	err := guarded(func() (err error) {
		s.db, err = bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, Timeout: lockTimeout,
			OpenFile: func(path string, _ int, _ os.FileMode) (*os.File, error) { return reopen(s.file, path) }})
		if err == nil {
			s.tx, err = s.db.Begin(false)
		}
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: a program holds it open for writing; an etcd's own database is none, have etcdctl snapshot save write one", ErrNotSnapshot)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return fmt.Errorf("%w: bbolt cannot read it (%w); fetch it again", ErrDamaged, err)
	case err != nil:
		return err
	case s.tx.Size() > size: // beyond the end, memory is not there
		return fmt.Errorf("%w: it holds %d bytes of %d; fetch it again", ErrDamaged, size, s.tx.Size())
	}
	return nil
}

// reopen opens the file once more, unless another has taken its name.
func reopen(file *os.File, path string) (*os.File, error) {
	again, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	was, err := file.Stat()
	is, err2 := again.Stat()
	if err = errors.Join(err, err2); err == nil && !os.SameFile(was, is) {
		err = errors.New("the file was replaced")
	}
	if err != nil {
		again.Close()
		return nil, err
	}
	return again, nil
}

// lockTimeout is for how long a program that has the file open for writing is waited
// for.
const lockTimeout = time.Second

// guarded runs f, which looks at pages that may be nonsense. A file whose hash was
// checked has none.
func guarded(f func() error) (err error) {
	was := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(was)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: its pages are no database (%.200s); fetch it again", ErrDamaged, fmt.Sprint(p))
		}
	}()
	return f()
}
