package etcddb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/durable"
)

// ErrChecksum says that a file does not end with the SHA-256 of what comes before.
var ErrChecksum = errors.New("etcddb: the file's checksum is not that of its content")

// Saved is a file that Save has written.
type Saved struct {
	// Bytes is its size, with the checksum.
	Bytes int64
	// Sum is the SHA-256 of the database, the file's last 32 bytes.
	Sum [sha256.Size]byte
}

// Save writes a view as etcdctl snapshot save does: the database, and its SHA-256 behind
// it. The file comes to be at once and whole, and was read back by then. began is told the
// size, and done of each part that was written; both may be nil. Errors: those of os, of
// which one is os.ErrExist, if there is such a file; ErrTempDir, ErrChecksum.
func Save(ctx context.Context, v *state.View, path string, log *logrus.Entry, began, done func(bytes int64)) (saved Saved, err error) {
	if _, err := os.Lstat(path); err == nil {
		return Saved{}, fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	making, stop := context.WithCancelCause(ctx)
	folder := filepath.Dir(path)
	snapshots := NewSnapshots(making, Config{Dir: folder, Log: log, Source: Source{View: func() *state.View { return v }, Failure: func() error { return nil }}})
	defer func() { stop(nil); snapshots.Close(context.Canceled) }()
	snapshot, err := snapshots.Make(ctx)
	if err != nil {
		return Saved{}, err
	}
	defer snapshot.Close()
	if began != nil {
		began(snapshot.Size() + sha256.Size)
	}
	file, err := os.CreateTemp(folder, ".zkine-snapshot-*")
	if err != nil {
		return Saved{}, err
	}
	defer os.Remove(file.Name()) // it is not there any more if all went well
	saved, err = writeSummed(ctx, file, snapshot, done)
	if err != nil {
		return Saved{}, errors.Join(err, file.Close())
	}
	if err := errors.Join(verifySummed(file, saved), file.Sync(), file.Close()); err != nil {
		return Saved{}, err
	}
	// A link does not take the place of a file that has come in the meantime.
	if err := durable.Link(file.Name(), path); err != nil {
		return Saved{}, err
	}
	return saved, durable.SyncFolder(folder)
}

// writeSummed writes a database, and its sum behind it.
func writeSummed(ctx context.Context, file io.Writer, db io.WriterTo, done func(bytes int64)) (Saved, error) {
	sum := sha256.New()
	n, err := db.WriteTo(&counted{ctx: ctx, to: io.MultiWriter(file, sum), done: done})
	if err != nil {
		return Saved{}, err
	}
	s := Saved{Bytes: n + sha256.Size, Sum: [sha256.Size]byte(sum.Sum(nil))}
	_, err = file.Write(s.Sum[:])
	return s, err
}

// verifySummed reads the file back.
func verifySummed(file io.ReaderAt, s Saved) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, s.Bytes-sha256.Size)); err != nil {
		return err
	}
	var last [sha256.Size]byte
	if _, err := file.ReadAt(last[:], s.Bytes-sha256.Size); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), last[:]) || last != s.Sum {
		return ErrChecksum
	}
	return nil
}

// counted tells of what is written, and ends with its context.
type counted struct {
	ctx  context.Context
	to   io.Writer
	done func(bytes int64)
}

func (c *counted) Write(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.to.Write(p)
	if c.done != nil {
		c.done(int64(n))
	}
	return n, err
}
