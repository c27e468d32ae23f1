package etcddb

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// databaseFile is a database in a bbolt file without a name. It is there once
// it was filled, and then never changes: any number may read it.
//
// bbolt makes a database only in a file that it maps, so one cannot be streamed
// without a copy on disk; nor is its page format one to write by other means for
// the years that backups must be readable.
type databaseFile struct {
	file *readFile
	size int64
}

const (
	// commitBytes bounds what a transaction holds in memory.
	commitBytes = 8 << 20
	// fillPercent is etcd's: entries come in order, so pages can be full.
	fillPercent = 0.9
)

// newDatabaseFile makes one of buckets, in a folder. Errors: ErrTempDir,
// ErrTempDirFull, the cause of ctx's end.
func newDatabaseFile(ctx context.Context, dir string, buckets []bucket) (*databaseFile, error) {
	temp, err := newTempFile(dir)
	if err != nil {
		return nil, err
	}
	// As etcd opens its own; and the file is not needed after a power cut.
	db, err := bbolt.Open(temp.write.Name(), 0o600, &bbolt.Options{
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: true, NoGrowSync: true,
		OpenFile: func(string, int, os.FileMode) (*os.File, error) { return temp.write, nil },
	})
	if err != nil { // and what writes is closed
		return nil, errors.Join(tempError(err), temp.read.Close())
	}
	f := &filling{ctx: ctx, db: db}
	size, err := f.fill(buckets)
	// bbolt leaves it to chance what comes after. Windows cuts no file that is mapped.
	nameless := temp.read.name == ""
	if err == nil && nameless {
		err = temp.write.Truncate(size)
	}
	// From here on it is a file like any other: a mapping would count as memory.
	err = errors.Join(err, db.Close())
	if err == nil && !nameless {
		err = os.Truncate(temp.read.name, size)
	}
	switch {
	case err == nil:
		return &databaseFile{temp.read, size}, nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	default:
		err = tempError(err)
	}
	return nil, errors.Join(err, temp.read.Close())
}

// filling is a database that is being written.
type filling struct {
	ctx context.Context
	db  *bbolt.DB
	tx  *bbolt.Tx
	// pending is how many bytes the transaction has written.
	pending int
}

// fill writes the buckets and returns the size of the database.
func (f *filling) fill(buckets []bucket) (size int64, err error) {
	if f.tx, err = f.db.Begin(true); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.tx.Rollback() //nolint:errcheck // nothing is lost
		}
	}()
	for _, b := range buckets {
		if err := f.write(b); err != nil {
			return 0, err
		}
	}
	if err := f.tx.Commit(); err != nil {
		return 0, err
	}
	read, err := f.db.Begin(false)
	if err != nil {
		return 0, err
	}
	return read.Size(), read.Rollback()
}

func (f *filling) write(b bucket) error {
	into, err := f.tx.CreateBucket([]byte(b.name))
	if err != nil {
		return err
	}
	into.FillPercent = fillPercent
	for key, value := range b.entries {
		if f.pending >= commitBytes {
			if f.ctx.Err() != nil {
				return context.Cause(f.ctx)
			}
			if err := f.nextTx(); err != nil {
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

// nextTx commits the transaction and begins the next.
func (f *filling) nextTx() error {
	if err := f.tx.Commit(); err != nil {
		return err
	}
	f.pending = 0
	next, err := f.db.Begin(true)
	if err == nil {
		f.tx = next
	}
	return err
}
