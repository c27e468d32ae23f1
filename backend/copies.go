package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend/state"
)

// copies are the databases that lie in files for snapshots. One is made at a
// time, each of the state as it is when its turn comes, so whoever asks while
// another is made shares the next; and whoever asks for a state of which there
// is a copy shares that. A copy goes with its last user.
//
// A view is held while its copy is made, and by nobody who reads it.
type copies struct {
	dir string
	log *logrus.Entry
	// view is the newest, context the backend's, failure why it must not serve.
	view    func() *state.View
	failure func() error
	ctx     context.Context
	// turn is taken by who makes a copy.
	turn chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	all    []*databaseCopy
	users  int
	closed bool
}

const (
	// maxCopies bounds how much room copies take, together with the size of the
	// state.
	maxCopies = 4
	// maxSnapshots bounds who reads them or waits for one.
	maxSnapshots = 64
)

// databaseCopy is a copy that is waited for, made or read.
type databaseCopy struct {
	// identity is what it shows; none as long as that is not known, because
	// its turn has not come. users are those who wait or read; copies.mu guards
	// both.
	identity *identity
	users    int
	cancel   context.CancelCauseFunc
	// made is closed when file or err is there.
	made chan struct{}
	file *databaseFile
	err  error
}

func newCopies(b *Backend) *copies {
	return &copies{dir: b.cfg.TempDir, log: b.cfg.Log, view: b.view.Load, failure: b.failure, ctx: b.ctx, turn: make(chan struct{}, 1)}
}

// join returns a copy that shows all of the state as it is now, or will. The
// caller leaves it.
func (c *copies) join() (*databaseCopy, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failure(); err != nil {
		return nil, err
	}
	if c.closed {
		return nil, ErrClosed
	}
	if c.users == maxSnapshots {
		return nil, fmt.Errorf("%w: %d clients read one; try again when one is done", ErrTooManySnapshots, c.users)
	}
	copy := c.shared()
	if copy == nil {
		if len(c.all) == maxCopies {
			return nil, fmt.Errorf("%w: %d are sent to clients; try again when one is done", ErrTooManySnapshots, maxCopies)
		}
		copy = c.begin()
	}
	copy.users++
	c.users++
	return copy, nil
}

// shared is a copy that will do; nil if there is none.
func (c *copies) shared() *databaseCopy {
	var now *identity
	for _, copy := range c.all {
		if copy.users == 0 {
			continue // given up, and not gone yet
		}
		if copy.identity == nil {
			return copy
		}
		if now == nil {
			now = identify(c.view())
		}
		if *copy.identity == *now {
			return copy
		}
	}
	return nil
}

// begin makes a new copy, by a goroutine of its own.
func (c *copies) begin() *databaseCopy {
	copy := &databaseCopy{made: make(chan struct{})}
	var ctx context.Context
	ctx, copy.cancel = context.WithCancelCause(c.ctx)
	c.all = append(c.all, copy)
	c.wg.Go(func() {
		file, err := c.make(ctx, copy)
		c.done(copy, file, err)
	})
	return copy
}

// make waits for its turn, then writes the copy.
func (c *copies) make(ctx context.Context, copy *databaseCopy) (*databaseFile, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	began := time.Now()
	v, buckets, err := c.newest(copy)
	if err != nil {
		return nil, err
	}
	file, err := newDatabaseFile(ctx, c.dir, buckets)
	if err == nil {
		c.log.WithFields(logrus.Fields{"revision": v.Rev(), "bytes": file.size, "took": time.Since(began).Round(time.Millisecond)}).
			Info("made a snapshot")
	}
	return file, err
}

// newest is the database of the newest view, which the copy will show.
func (c *copies) newest(copy *databaseCopy) (*state.View, []bucket, error) {
	for {
		if err := c.failure(); err != nil {
			return nil, nil, err
		}
		v := c.decide(copy)
		buckets, err := database(v)
		if !errors.Is(err, state.ErrCompacted) || c.view().CompactRev() == v.CompactRev() {
			return v, buckets, err
		}
	}
}

// decide says which view a copy shows: whoever has joined it before has seen no
// newer one.
func (c *copies) decide(copy *databaseCopy) *state.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.view()
	copy.identity = identify(v)
	return v
}

// done hands the copy out, if anybody still wants it.
func (c *copies) done(copy *databaseCopy, file *databaseFile, err error) {
	copy.cancel(nil)
	c.mu.Lock()
	copy.file, copy.err = file, err
	unwanted := err != nil || copy.users == 0
	if unwanted {
		c.remove(copy)
	}
	c.mu.Unlock()
	close(copy.made)
	if unwanted && file != nil {
		file.file.Close() //nolint:errcheck // it was read by nobody
	}
}

func (c *copies) remove(copy *databaseCopy) {
	c.all = slices.DeleteFunc(c.all, func(other *databaseCopy) bool { return other == copy })
}

// errUnwanted ends a copy that nobody waits for any more.
var errUnwanted = errors.New("backend: nobody waits for the snapshot")

// leave ends one use of a copy.
func (c *copies) leave(copy *databaseCopy) error {
	c.mu.Lock()
	copy.users--
	c.users--
	last, file := copy.users == 0, copy.file
	if last && file != nil {
		c.remove(copy)
	}
	c.mu.Unlock()
	if !last {
		return nil
	}
	copy.cancel(errUnwanted)
	if file == nil {
		return nil
	}
	return file.file.Close()
}

// close ends what is being made; ctx has ended before. What is read meanwhile
// can be read to its end.
func (c *copies) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.wg.Wait()
}
