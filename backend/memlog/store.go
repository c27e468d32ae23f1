package memlog

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
)

// Store is what all members of a root share: the log, the checkpoints, the list
// of members.
//
// Invariants, under mu: segments holds the slots of first to open, none of which
// is missing; open takes the next slot.
type Store struct {
	// MaxSlots ends a segment, and CheckpointFrom is how many bytes of log a
	// checkpoint needs to be worth it; both as in zklog.Config. They are set
	// before the first Open.
	MaxSlots       int64
	CheckpointFrom int64

	mu sync.Mutex
	// changed is closed and replaced with each change.
	changed     chan struct{}
	segments    map[int64][]slot
	gone        map[int64]int64 // how many slots trimmed segments had
	first, open int64
	// last is the place of the newest slot.
	last             revision.Seq
	newest, previous *checkpoint
	members          []*Log // those that have joined, the longest first
}

// slot is a place of the log with the member that wrote it.
type slot struct {
	revision.Slot
	writer *Log
	bytes  int64
}

type checkpoint struct {
	segment int64
	meta    []byte
	chunks  [][]byte
	bytes   int64
}

// New makes an empty store, which ends segments and is due for checkpoints as
// zklog's is by default.
func New() *Store {
	return &Store{MaxSlots: 4096, CheckpointFrom: 4 << 20,
		changed: make(chan struct{}), segments: map[int64][]slot{}, gone: map[int64]int64{}, first: 1, open: 1}
}

// await returns once ready says so, with mu held, and has its error; or with the
// cause of ctx's end.
func (s *Store) await(ctx context.Context, ready func() (bool, error)) error {
	for {
		s.mu.Lock()
		done, err := ready()
		changed := s.changed
		s.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// update changes the store, and lets all that wait look again.
func (s *Store) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.announce()
}

func (s *Store) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// land puts a batch into the log. The lock is held.
func (s *Store) land(batch *revision.Batch, writer *Log) revision.Seq {
	seq := revision.Seq{Segment: s.open, Slot: int64(len(s.segments[s.open]))}
	one := slot{Slot: batch.At(seq, 1), writer: writer}
	for _, r := range batch.Requests {
		one.bytes += int64(proto.Size(r))
	}
	s.segments[s.open] = append(s.segments[s.open], one)
	s.last = seq
	if int64(len(s.segments[s.open])) >= s.MaxSlots {
		s.open++
	}
	s.announce()
	return seq
}

// after returns the slot after a place; false if there is none yet. Error:
// revision.ErrTrimmed. The lock is held.
func (s *Store) after(at revision.Seq) (slot, bool, error) {
	for segment := at.Segment; segment <= s.open; segment++ {
		next := int64(0)
		if segment == at.Segment {
			next = at.Slot + 1
		}
		if next < s.gone[segment] {
			return slot{}, false, revision.ErrTrimmed
		}
		if next < int64(len(s.segments[segment])) {
			return s.segments[segment][next], true, nil
		}
	}
	return slot{}, false, nil
}

// bytes is what the slots of the segments after one, up to another, take. The lock
// is held.
func (s *Store) bytes(after, upTo int64) (sum int64) {
	for segment := max(after+1, s.first); segment <= min(upTo, s.open); segment++ {
		for _, one := range s.segments[segment] {
			sum += one.bytes
		}
	}
	return sum
}

// trim removes what the previous checkpoint makes needless. The lock is held.
func (s *Store) trim() {
	if s.previous == nil {
		return
	}
	for ; s.first <= s.previous.segment; s.first++ {
		s.gone[s.first] = int64(len(s.segments[s.first]))
		delete(s.segments, s.first)
	}
}

// latest is the newest checkpoint as members know it. The lock is held.
func (s *Store) latest() revision.Newest {
	if s.newest == nil {
		return revision.Newest{}
	}
	return revision.Newest{Segment: s.newest.segment, Bytes: s.newest.bytes, Alone: s.previous == nil || s.previous == s.newest}
}

// leave takes a member off the list. The lock is held.
func (s *Store) leave(l *Log) {
	s.members = slices.DeleteFunc(s.members, func(m *Log) bool { return m == l })
}
