package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"

	"github.com/zkine/zkine/backend/state"
)

// Snapshot is a database of etcd's (see database.go) as one file. It never
// changes; whoever got it closes it.
type Snapshot interface {
	// WriteTo writes the file: Size bytes, if nothing fails.
	io.WriterTo
	// Size is in bytes.
	Size() int64
	// Close frees the disk that the snapshot takes.
	io.Closer
}

// Snapshot makes a database of the state as it is here, while writes go on:
// like etcd's, it does not wait for what other members have acknowledged, and
// can be had while ZooKeeper is away. It is built in a file in the system's
// folder for temporary ones, which has no name by the time Snapshot returns.
func (b *Backend) Snapshot(ctx context.Context) (Snapshot, error) {
	var view *state.View
	var buckets []bucket
	err := b.onView(func(v *state.View) (err error) {
		view = v
		buckets, err = database(v)
		return err
	})
	if err != nil {
		return nil, err
	}
	file, err := newDatabaseFile()
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := file.fill(ctx, buckets); err != nil {
		return nil, errors.Join(fmt.Errorf("snapshot: %w", err), file.Close())
	}
	b.cfg.Log.WithField("revision", view.Rev()).WithField("bytes", file.Size()).Info("made a snapshot")
	return file, nil
}

// databaseFile is a bbolt file; a transaction on it is always open: one that
// writes while it is filled, then one that reads.
type databaseFile struct {
	db *bbolt.DB
	tx *bbolt.Tx
	// pending is how many bytes the transaction has written.
	pending int
}

const (
	// commitBytes bounds what a transaction holds in memory.
	commitBytes = 8 << 20
	// fillPercent is etcd's: entries come in order, so pages can be full.
	fillPercent = 0.9
)

func newDatabaseFile() (*databaseFile, error) {
	temp, err := os.CreateTemp("", "zkine-snapshot-")
	if err != nil {
		return nil, err
	}
	// Nothing is left behind, should the process be killed.
	defer os.Remove(temp.Name())
	if err := temp.Close(); err != nil {
		return nil, err
	}
	// As etcd opens its own; and nobody needs the file after a power cut.
	db, err := bbolt.Open(temp.Name(), 0o600, &bbolt.Options{
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: true, NoGrowSync: true,
	})
	if err != nil {
		return nil, err
	}
	return &databaseFile{db: db}, nil
}

// fill writes the buckets and opens the file for reading.
func (f *databaseFile) fill(ctx context.Context, buckets []bucket) (err error) {
	if f.tx, err = f.db.Begin(true); err != nil {
		return err
	}
	for _, b := range buckets {
		if err := f.write(ctx, b); err != nil {
			return err
		}
	}
	return f.commit(false)
}

func (f *databaseFile) write(ctx context.Context, b bucket) error {
	into, err := f.tx.CreateBucket([]byte(b.name))
	if err != nil {
		return err
	}
	into.FillPercent = fillPercent
	for key, value := range b.entries {
		if f.pending >= commitBytes {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := f.commit(true); err != nil {
				return err
			}
			into = f.tx.Bucket([]byte(b.name))
			into.FillPercent = fillPercent
		}
		if err := into.Put(key, value); err != nil {
			return fmt.Errorf("bucket %s: %w", b.name, err)
		}
		f.pending += len(key) + len(value)
	}
	return nil
}

// commit ends the transaction and begins the next.
func (f *databaseFile) commit(writable bool) (err error) {
	if err := f.tx.Commit(); err != nil {
		return err
	}
	f.pending = 0
	f.tx, err = f.db.Begin(writable)
	return err
}

func (f *databaseFile) Size() int64 { return f.tx.Size() }

func (f *databaseFile) WriteTo(w io.Writer) (int64, error) { return f.tx.WriteTo(w) }

func (f *databaseFile) Close() error {
	if f.tx != nil {
		f.tx.Rollback() //nolint:errcheck // nothing is lost
	}
	return f.db.Close()
}
