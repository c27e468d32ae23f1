package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Errors of At.
var (
	// ErrTooEarly says that a past begins after what is asked for.
	ErrTooEarly = errors.New("recovery: it begins later")
	// ErrTooLate says that a past ends before what is asked for.
	ErrTooLate = errors.New("recovery: it ends before that")
	// ErrNoTimes says that the log does not say when it was written.
	ErrNoTimes = errors.New("recovery: this part of the log does not say when it was written")
)

// Reached is a state of the past.
type Reached struct {
	ClusterID uint64
	// View is the state.
	View *state.View
	// From is the revision that it was replayed from, Slots how many were read.
	From  revision.Rev
	Slots int64
	// Last is the last slot that is in the state, Next the one after it: nil if there is
	// none.
	Last, Next *Mark
	// Later is how many slots after Next say that they were written at or before the
	// time that was asked for, as where a clock was put back, or members' clocks
	// differ; LaterUpTo is the last of them.
	Later     int
	LaterUpTo *Mark
	// Ends says that the past ends with View: nothing of the log comes after it.
	Ends bool

	machine *state.Machine
}

// Mark is a slot: where it is, and what it says of itself.
type Mark struct {
	Seq    revision.Seq
	Time   time.Time // zero if that is not known
	Member string
}

func markOf(s *Slot) *Mark {
	at, _ := s.Written()
	return &Mark{s.Seq, at, s.Writer()}
}

// At replays a past up to a time, a revision, or its end.
//
// The state at a time is that before the first batch which says that it was written
// later, as other databases have it: nothing that was written after the time is in it, as
// far as the writers' clocks are right. A batch that does not say when it was written
// goes with the one before it. The state at a revision is that after the very request
// which made it.
//
// Errors: open's; ErrTooEarly, ErrTooLate, ErrNoTimes; those of the past, such as that it has a hole.
func At(ctx context.Context, open Opener, until Until) (*Reached, error) {
	for try := 1; ; try++ {
		past, err := openBefore(ctx, open, until)
		var out *Reached
		if err == nil {
			out, err = at(ctx, past, until)
		}
		if !errors.Is(err, revision.ErrTrimmed) || try == mostTries {
			return out, err
		}
	}
}

// openBefore opens a past that begins before a revision was made, if there is one: a
// checkpoint at that revision may hold what was compacted and granted since.
func openBefore(ctx context.Context, open Opener, until Until) (*Past, error) {
	if until.Revision > 1 {
		if past, err := open(ctx, Until{Revision: until.Revision - 1}); err == nil {
			return past, nil
		}
	}
	return open(ctx, until)
}

func at(ctx context.Context, past *Past, until Until) (*Reached, error) {
	m, err := begin(ctx, past)
	if err != nil {
		return nil, err
	}
	if rev := m.View().Rev(); until.Revision > 0 && rev > until.Revision {
		return nil, fmt.Errorf("%w: with revision %d", ErrTooEarly, rev)
	}
	w := &walk{until: until, out: &Reached{ClusterID: past.ClusterID, From: past.Revision, machine: m}, timed: !past.Time.IsZero()}
	w.replayer = replayer{m: m, until: until.Revision}
	w.over = until.Revision > 0 && m.View().Rev() >= until.Revision
	for slot, err := range past.Slots(ctx) {
		if err != nil && w.over {
			break // what comes after the state does not matter
		}
		if err != nil {
			return nil, err
		}
		if !w.slot(&slot) {
			break
		}
	}
	return w.end()
}

// walk is an At under way.
type walk struct {
	replayer
	until Until
	out   *Reached
	// over says that the state is reached; ahead is how many slots were looked at since.
	over  bool
	ahead int
	// beyond is how many in a row said that they were written far later.
	beyond int
	// timed says that a time was seen at or before the one that is asked for; clocked
	// that a slot had one.
	timed, clocked bool
}

// Bounds of how far is looked for clocks that went back.
const (
	lookAhead      = time.Hour
	lookAheadSlots = 1 << 20
	// lookBeyondSlots is how many in a row have to be later than that: a clock may have
	// been far ahead.
	lookBeyondSlots = 1 << 14
)

// slot takes the next slot. It says whether to go on.
func (w *walk) slot(s *Slot) bool {
	at, clock := s.Written()
	if !w.over && !w.until.Time.IsZero() && clock != NoClock {
		w.over = at.After(w.until.Time)
		w.timed, w.clocked = w.timed || !w.over, true
	}
	if !w.over {
		w.out.Slots++
		w.out.Last = markOf(s)
		for range w.apply(s) {
		}
		w.over = w.done()
		return true
	}
	if w.out.Next == nil {
		w.out.Next = markOf(s)
	}
	if w.until.Time.IsZero() {
		return false
	}
	w.ahead++
	if clock != NoClock && !at.After(w.until.Time) {
		w.out.Later++
		w.out.LaterUpTo = markOf(s)
	}
	if w.beyond++; at.Before(w.until.Time.Add(lookAhead)) {
		w.beyond = 0
	}
	return w.ahead < lookAheadSlots && w.beyond < lookBeyondSlots
}

func (w *walk) end() (*Reached, error) {
	v := w.m.View()
	w.out.View, w.out.Ends = v, w.out.Next == nil
	switch want := w.until.Revision; {
	case want > 0 && v.Rev() < want:
		return nil, fmt.Errorf("%w: it ends with revision %d", ErrTooLate, v.Rev())
	case want > 0 && v.Rev() > want:
		return nil, fmt.Errorf("%w: there is no revision %d, it was raised to %d then", ErrTooLate, want, v.Rev())
	case !w.until.Time.IsZero() && !w.timed && w.out.Next != nil:
		return nil, fmt.Errorf("%w: at %s", ErrTooEarly, w.out.Next.Time.Format(time.RFC3339))
	case !w.until.Time.IsZero() && (!w.timed || w.out.Slots > 0 && !w.clocked):
		return nil, ErrNoTimes
	}
	return w.out, nil
}

// Newest is a bound of the revisions in a past: none is higher. It replays nothing: each
// request counts as if it made a revision. With an error, which the past or open has, it
// is a bound up to there.
func Newest(ctx context.Context, open Opener) (revision.Rev, error) {
	past, err := open(ctx, Until{})
	if err != nil {
		return 0, err
	}
	newest := past.Revision
	for slot, err := range past.Slots(ctx) {
		if err != nil {
			return newest, err
		}
		for _, r := range slot.Requests {
			newest++
			if raise := r.GetRevisionRaise(); raise != nil {
				newest = max(newest, revision.Rev(raise.To))
			}
		}
	}
	return newest, nil
}
