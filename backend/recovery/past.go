package recovery

import (
	"context"
	"iter"
	"time"

	"github.com/zkine/zkine/revision"
)

// Past is what there is of a cluster's log: a state to begin with, and the slots
// after it.
type Past struct {
	ClusterID uint64
	// Checkpoint is nil if the log begins with the first slot there ever was.
	Checkpoint *revision.Checkpoint
	// Revision and Time are those of the checkpoint: 1 and zero without one; the time
	// is zero if it is not known.
	Revision revision.Rev
	Time     time.Time
	// Slots yields the slots in order, duplicates too, and stops after the first
	// error. revision.ErrTrimmed says that a part of it was removed while it was
	// read, and that there is a later past.
	Slots func(context.Context) iter.Seq2[Slot, error]
}

// Until says up to where one goes back: to a time, to a revision, or, if both are zero,
// to the end of what there is.
type Until struct {
	Time     time.Time
	Revision revision.Rev
}

// Opener opens a past: the newest that begins at or before what is asked for.
type Opener func(context.Context, Until) (*Past, error)

// Slot is a slot, and what is known of it besides.
type Slot struct {
	revision.Slot
	// Made is when ZooKeeper made its znode, by ZooKeeper's clock; zero if that is
	// not known.
	Made time.Time
}

// Clock says whose clock a time is of.
type Clock string

// The clocks.
const (
	// NoClock: the time is not known.
	NoClock Clock = ""
	// WriterClock is that of the member that wrote the batch.
	WriterClock Clock = "member"
	// ZooKeeperClock is that of the ZooKeeper server that led then.
	ZooKeeperClock Clock = "zookeeper"
)

// Written is when a slot was written, as well as that is known.
func (s *Slot) Written() (time.Time, Clock) {
	switch {
	case s.Origin != nil:
		return time.UnixMilli(s.Origin.Written).UTC(), WriterClock
	case !s.Made.IsZero():
		return s.Made.UTC(), ZooKeeperClock
	}
	return time.Time{}, NoClock
}

// Writer is the member that wrote a slot; "" if that is not known.
func (s *Slot) Writer() string {
	if s.Origin == nil {
		return ""
	}
	return s.Origin.Writer
}

// Counted is the same past, which tells how many requests and bytes of it were read.
func (p *Past) Counted(read func(requests, bytes int64)) *Past {
	counted := *p
	if p.Checkpoint != nil {
		cp := *p.Checkpoint
		cp.Chunks = func(ctx context.Context) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				for chunk, err := range p.Checkpoint.Chunks(ctx) {
					read(0, int64(len(chunk)))
					if !yield(chunk, err) {
						return
					}
				}
			}
		}
		counted.Checkpoint = &cp
	}
	counted.Slots = func(ctx context.Context) iter.Seq2[Slot, error] {
		return func(yield func(Slot, error) bool) {
			for slot, err := range p.Slots(ctx) {
				read(int64(len(slot.Requests)), 0)
				if !yield(slot, err) {
					return
				}
			}
		}
	}
	return &counted
}
