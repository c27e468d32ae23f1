package etcddb

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend/state"
)

// Config says of what snapshots are made, and where.
type Config struct {
	// Source shows the state.
	Source Source
	// Dir is the folder for the files; empty for the system's folder for
	// temporary files.
	Dir string
	Log *logrus.Entry
}

// Snapshots are files with databases, for clients that read them. One is made at a
// time, each of the state as it is when that begins, so callers that ask while
// another is made share the next; and a caller that asks for a state of which
// there is a file shares that. A file goes with its last user.
//
// A view is held while its file is made, and not while the file is read.
type Snapshots struct {
	cfg Config
	// ctx ends the making of files.
	ctx context.Context
	// building has something in it while a file is made.
	building chan struct{}
	// makers are the goroutines that make files or wait for building.
	makers sync.WaitGroup

	mu     sync.Mutex
	all    []*snapshotFile
	users  int
	closed error
}

const (
	// maxFiles bounds how much room files take, together with the size of the
	// state.
	maxFiles = 4
	// maxSnapshots bounds the clients that read files or wait for one.
	maxSnapshots = 64
)

// snapshotFile is a file that is waited for, made or read.
type snapshotFile struct {
	// identity is what it shows; nil as long as that is not known, before the
	// making begins. users are the clients that wait or read. Snapshots.mu guards
	// both.
	identity *identity
	users    int
	cancel   context.CancelCauseFunc
	// made is closed when db or err is there.
	made chan struct{}
	db   *databaseFile
	err  error
}

// NewSnapshots returns Snapshots without a file. None is made once ctx has ended;
// then comes Close.
func NewSnapshots(ctx context.Context, cfg Config) *Snapshots {
	return &Snapshots{cfg: cfg, ctx: ctx, building: make(chan struct{}, 1)}
}

// join returns a file that shows all of the state as it is now, or will. The
// caller leaves it.
func (s *Snapshots) join() (*snapshotFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cfg.Source.Failure(); err != nil {
		return nil, err
	}
	if s.closed != nil {
		return nil, s.closed
	}
	if s.users == maxSnapshots {
		return nil, fmt.Errorf("%w: %d clients read one; try again when one is done", ErrTooManySnapshots, s.users)
	}
	f := s.shared()
	if f == nil {
		if len(s.all) == maxFiles {
			return nil, fmt.Errorf("%w: %d are sent to clients; try again when one is done", ErrTooManySnapshots, maxFiles)
		}
		f = s.begin()
	}
	f.users++
	s.users++
	return f, nil
}

// shared is a file that will do; nil if there is none.
func (s *Snapshots) shared() *snapshotFile {
	var now *identity
	for _, f := range s.all {
		if f.users == 0 {
			continue // given up, and not gone yet
		}
		if f.identity == nil {
			return f
		}
		if now == nil {
			now = identify(s.cfg.Source.View())
		}
		if *f.identity == *now {
			return f
		}
	}
	return nil
}

// begin makes a new file, by a goroutine of its own.
func (s *Snapshots) begin() *snapshotFile {
	f := &snapshotFile{made: make(chan struct{})}
	var ctx context.Context
	ctx, f.cancel = context.WithCancelCause(s.ctx)
	s.all = append(s.all, f)
	s.makers.Go(func() {
		db, err := s.make(ctx, f)
		s.done(f, db, err)
	})
	return f
}

// make waits until no other file is made, then writes this one.
func (s *Snapshots) make(ctx context.Context, f *snapshotFile) (*databaseFile, error) {
	select {
	case s.building <- struct{}{}:
		defer func() { <-s.building }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	began := time.Now()
	v, buckets, err := s.newest(f)
	if err != nil {
		return nil, err
	}
	db, err := newDatabaseFile(ctx, s.cfg.Dir, buckets)
	if err == nil {
		s.cfg.Log.WithFields(logrus.Fields{"revision": v.Rev(), "bytes": db.size, "took": time.Since(began).Round(time.Millisecond)}).
			Info("made a snapshot")
	}
	return db, err
}

// newest is the newest view and its database, which the file will show.
func (s *Snapshots) newest(f *snapshotFile) (v *state.View, buckets []bucket, err error) {
	err = s.cfg.Source.Show(func(*state.View) error {
		v = s.decide(f)
		buckets, err = database(v)
		return err
	})
	return v, buckets, err
}

// decide says which view a file shows: a client that has joined it before has
// seen no newer one.
func (s *Snapshots) decide(f *snapshotFile) *state.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.cfg.Source.View()
	f.identity = identify(v)
	return v
}

// done hands the file out, if a client still wants it.
func (s *Snapshots) done(f *snapshotFile, db *databaseFile, err error) {
	f.cancel(nil)
	s.mu.Lock()
	f.db, f.err = db, err
	unwanted := err != nil || f.users == 0
	if unwanted {
		s.remove(f)
	}
	s.mu.Unlock()
	close(f.made)
	if unwanted && db != nil {
		db.file.Close() // it was not read
	}
}

func (s *Snapshots) remove(f *snapshotFile) {
	s.all = slices.DeleteFunc(s.all, func(other *snapshotFile) bool { return other == f })
}

// leave ends one use of a file.
func (s *Snapshots) leave(f *snapshotFile) error {
	s.mu.Lock()
	f.users--
	s.users--
	last, db := f.users == 0, f.db
	if last && db != nil {
		s.remove(f)
	}
	s.mu.Unlock()
	if !last {
		return nil
	}
	f.cancel(errUnwanted)
	if db == nil {
		return nil
	}
	return db.file.Close()
}

// Close waits for the files that are being made, which NewSnapshots' context has
// ended before, and refuses new ones with err. A snapshot that was made can
// be read to its end.
func (s *Snapshots) Close(err error) {
	s.mu.Lock()
	s.closed = err
	s.mu.Unlock()
	s.makers.Wait()
}
