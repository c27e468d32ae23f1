package etcddb

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Snapshot is a database of etcd's (see database.go) as one file. It never
// changes; the caller that got it closes it.
type Snapshot interface {
	// WriteTo writes the file: Size bytes, if nothing fails. Errors:
	// ErrTempDir, and the writer's.
	io.WriterTo
	// Size is in bytes.
	Size() int64
	// Close frees the disk that the snapshot takes, if it is the last one of
	// that state.
	io.Closer
}

// Make makes a database of the state as it is here, while writes go on: like
// etcd's, it does not wait for what other members have acknowledged, and can be
// had while ZooKeeper is away. It is a file without a name in Config.Dir, shared
// by all callers that want the same state. Errors: ErrTempDir, ErrTempDirFull,
// ErrTooManySnapshots, of which none goes away by asking again at once; Failure's;
// the cause of ctx's end.
func (s *Snapshots) Make(ctx context.Context) (Snapshot, error) {
	f, err := s.join()
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	select {
	case <-f.made:
		err = f.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("snapshot: %w", err), s.leave(f))
	}
	return &reader{snapshots: s, file: f}, nil
}

// reader is one use of a file.
type reader struct {
	snapshots *Snapshots
	file      *snapshotFile
	closed    bool
}

func (r *reader) Size() int64 { return r.file.db.size }

func (r *reader) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, &section{io.NewSectionReader(r.file.db.file, 0, r.Size())})
	if err == nil && n < r.Size() {
		err = tempError(io.ErrUnexpectedEOF)
	}
	return n, err
}

func (r *reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return r.snapshots.leave(r.file)
}

// section tells errors of reading the file from those of the writer.
type section struct{ r *io.SectionReader }

func (s *section) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = tempError(err)
	}
	return n, err
}
