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
	Source
	// Dir is the folder for the files; empty for the system's folder for
	// temporary files.
	Dir string
	Log *logrus.Entry
}

// Snapshots are the databases that lie in files for clients that read them. One
// is made at a time, each of the state as it is when its turn comes, so callers
// that ask while another is made share the next; and a caller that asks for a
// state of which there is a copy shares that. A copy goes with its last user.
//
// A view is held while its copy is made, and not while the copy is read.
type Snapshots struct {
	Config
	// ctx ends the making of copies.
	ctx context.Context
	// turn is taken by the goroutine that makes a copy.
	turn   chan struct{}
	making sync.WaitGroup

	mu     sync.Mutex
	all    []*databaseCopy
	users  int
	closed error
}

const (
	// maxCopies bounds how much room copies take, together with the size of the
	// state.
	maxCopies = 4
	// maxSnapshots bounds the clients that read copies or wait for one.
	maxSnapshots = 64
)

// databaseCopy is a copy that is waited for, made or read.
type databaseCopy struct {
	// identity is what it shows; nil as long as that is not known, because its
	// turn has not come. users are the clients that wait or read. Snapshots.mu
	// guards both.
	identity *identity
	users    int
	cancel   context.CancelCauseFunc
	// made is closed when file or err is there.
	made chan struct{}
	file *databaseFile
	err  error
}

// NewSnapshots returns Snapshots without a copy. No copy is made once ctx has
// ended; then comes Close.
func NewSnapshots(ctx context.Context, cfg Config) *Snapshots {
	return &Snapshots{Config: cfg, ctx: ctx, turn: make(chan struct{}, 1)}
}

// join returns a copy that shows all of the state as it is now, or will. The
// caller leaves it.
func (s *Snapshots) join() (*databaseCopy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Failure(); err != nil {
		return nil, err
	}
	if s.closed != nil {
		return nil, s.closed
	}
	if s.users == maxSnapshots {
		return nil, fmt.Errorf("%w: %d clients read one; try again when one is done", ErrTooManySnapshots, s.users)
	}
	copy := s.shared()
	if copy == nil {
		if len(s.all) == maxCopies {
			return nil, fmt.Errorf("%w: %d are sent to clients; try again when one is done", ErrTooManySnapshots, maxCopies)
		}
		copy = s.begin()
	}
	copy.users++
	s.users++
	return copy, nil
}

// shared is a copy that will do; nil if there is none.
func (s *Snapshots) shared() *databaseCopy {
	var now *identity
	for _, copy := range s.all {
		if copy.users == 0 {
			continue // given up, and not gone yet
		}
		if copy.identity == nil {
			return copy
		}
		if now == nil {
			now = identify(s.View())
		}
		if *copy.identity == *now {
			return copy
		}
	}
	return nil
}

// begin makes a new copy, by a goroutine of its own.
func (s *Snapshots) begin() *databaseCopy {
	copy := &databaseCopy{made: make(chan struct{})}
	var ctx context.Context
	ctx, copy.cancel = context.WithCancelCause(s.ctx)
	s.all = append(s.all, copy)
	s.making.Go(func() {
		file, err := s.make(ctx, copy)
		s.done(copy, file, err)
	})
	return copy
}

// make waits for its turn, then writes the copy.
func (s *Snapshots) make(ctx context.Context, copy *databaseCopy) (*databaseFile, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	began := time.Now()
	v, buckets, err := s.newest(copy)
	if err != nil {
		return nil, err
	}
	file, err := newDatabaseFile(ctx, s.Dir, buckets)
	if err == nil {
		s.Log.WithFields(logrus.Fields{"revision": v.Rev(), "bytes": file.size, "took": time.Since(began).Round(time.Millisecond)}).
			Info("made a snapshot")
	}
	return file, err
}

// newest is the newest view and its database, which the copy will show.
func (s *Snapshots) newest(copy *databaseCopy) (v *state.View, buckets []bucket, err error) {
	err = s.Show(func(*state.View) error {
		v = s.decide(copy)
		buckets, err = database(v)
		return err
	})
	return v, buckets, err
}

// decide says which view a copy shows: a client that has joined it before has
// seen no newer one.
func (s *Snapshots) decide(copy *databaseCopy) *state.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.View()
	copy.identity = identify(v)
	return v
}

// done hands the copy out, if a client still wants it.
func (s *Snapshots) done(copy *databaseCopy, file *databaseFile, err error) {
	copy.cancel(nil)
	s.mu.Lock()
	copy.file, copy.err = file, err
	unwanted := err != nil || copy.users == 0
	if unwanted {
		s.remove(copy)
	}
	s.mu.Unlock()
	close(copy.made)
	if unwanted && file != nil {
		file.file.Close() // it was not read
	}
}

func (s *Snapshots) remove(copy *databaseCopy) {
	s.all = slices.DeleteFunc(s.all, func(other *databaseCopy) bool { return other == copy })
}

// leave ends one use of a copy.
func (s *Snapshots) leave(copy *databaseCopy) error {
	s.mu.Lock()
	copy.users--
	s.users--
	last, file := copy.users == 0, copy.file
	if last && file != nil {
		s.remove(copy)
	}
	s.mu.Unlock()
	if !last {
		return nil
	}
	copy.cancel(errUnwanted)
	if file == nil {
		return nil
	}
	return file.file.Close()
}

// Close waits for the copies that are being made, which NewSnapshots' context
// has ended before, and refuses new ones with err. A snapshot that was made can
// be read to its end.
func (s *Snapshots) Close(err error) {
	s.mu.Lock()
	s.closed = err
	s.mu.Unlock()
	s.making.Wait()
}
