package zklog

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// startAfterCheckpoint makes Next deliver what comes after the newest
// checkpoint.
func (d *delivery) startAfterCheckpoint(ctx context.Context, conn zkclient.Conn, open zkroot.SegmentRef) error {
	newest, err := d.on(conn).Newest(ctx)
	if err != nil {
		return err
	}
	var loaded *revision.Checkpoint
	covered := int64(0)
	if newest != nil {
		d.checkpoints.note(newest.Record)
		loaded = d.checkpoints.found(newest)
		covered = loaded.Segment
	}
	first, err := d.on(conn).SegmentAfter(ctx, covered)
	if err != nil {
		return err
	}
	d.checkpoints.loaded = loaded
	d.tail.start(first, open)
	return nil
}

// Reload makes Next go on after the newest checkpoint, once it has returned
// ErrTrimmed. Called by Next's caller, who takes the state from Checkpoint
// then. Appends under way whose outcome is not known by now end with
// ErrUnknown.
func (l *Log) Reload(ctx context.Context) error {
	l.standing.reloading()
	return l.delivery.reload(ctx)
}

func (d *delivery) reload(ctx context.Context) error {
	for {
		conn, err := d.session.Get(ctx)
		if err != nil {
			return err
		}
		err = d.reloadOn(ctx, conn)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, revision.ErrTrimmed):
			continue // a newer checkpoint has replaced this one
		}
		if err := d.unusable(ctx, conn, err); !errors.Is(err, errAgain) {
			return err
		}
	}
}

func (d *delivery) reloadOn(ctx context.Context, conn zkclient.Conn) error {
	opCtx, cancel := d.session.Bound(ctx)
	defer cancel()
	open, err := d.readOpen(opCtx, conn)
	if err != nil {
		return err
	}
	return d.startAfterCheckpoint(opCtx, conn, open)
}

// standing is whether the state that the log's user has made is known to be of this log.
// After a new session it is not where a checkpoint covers all that was seen before: the log
// may have gone back in the meantime, and a person may have decided about that. The user
// has to reload then, and finds out by the two states; see Distrust.
type standing struct {
	mu   sync.Mutex
	step doubt
	// decided is the number of the latest decision that was seen in doubt.
	decided int64
}

// doubt is how far it has come.
type doubt int

const (
	none      doubt = iota
	left            // all that was seen is covered
	reloading       // the user compares
)

// recognised notes that a new session's log is the one that was seen, or, if that was not
// shown, that nothing speaks against it.
func (s *standing) recognised(shown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case shown && s.step == left:
		s.step = none
	case !shown && s.step == none:
		s.step, s.decided = left, 0
	}
}

// reloading notes that the user is about to compare.
func (s *standing) reloading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.step == left {
		s.step = reloading
	}
}

// applied notes that the user has gone on: after a reload it has compared.
func (s *standing) applied() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.step == reloading {
		s.step = none
	}
}

// sure says whether a decision with this number, the latest, is one that the state stands
// on.
func (s *standing) sure(decision int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.step != none {
		s.decided = decision
	}
	return s.step == none
}

// since is the number of the latest decision that was seen in doubt, 0 for none.
func (s *standing) since() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.step == none {
		return 0
	}
	return s.decided
}

// Distrust implements backend.Log. If a person has decided about that since, the root is
// not to be halted again.
func (l *Log) Distrust(err error) error {
	if l.standing.since() > l.accepted.Load() {
		err = fmt.Errorf("%w: %w; start again to serve it", revision.ErrAccepted, err)
	}
	l.session.Fail(err)
	return err
}
