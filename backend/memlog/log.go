package memlog

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

const (
	clusterID = 0x6d656d6c6f67
	// sessionTimeout is that of zkine's default.
	sessionTimeout = 4 * time.Second
)

// Log is one member's log. It satisfies backend.Log, where the contracts are.
type Log struct {
	store *Store

	// All under the store's lock.
	at      revision.Seq // the last slot that Next has returned
	loaded  *checkpoint
	member  revision.Member
	away    bool
	held    bool  // barriers are
	refused error // what appends get
	broken  error // what everything gets, for good
	faults  []Fault
}

// Open stands before the first slot, or after the newest checkpoint.
func (s *Store) Open() *Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &Log{store: s}
	l.load()
	return l
}

// load goes on after the newest checkpoint. The lock is held.
func (l *Log) load() {
	l.at = revision.Seq{Segment: 1, Slot: -1}
	if l.loaded = l.store.newest; l.loaded != nil {
		l.at = revision.Seq{Segment: l.loaded.segment, Slot: math.MaxInt32} // its last
	}
}

// await returns once there is a connection and ready says so, with the lock held,
// and has its error. Without a connection when ctx ends it is
// revision.ErrUnavailable.
func (l *Log) await(ctx context.Context, ready func() (bool, error)) error {
	away := false
	err := l.store.await(ctx, func() (bool, error) {
		if away = l.away; away || l.broken != nil {
			return false, l.broken
		}
		return ready()
	})
	if away && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", revision.ErrUnavailable, err)
	}
	return err
}

// do does something once there is a connection, with the lock held.
func (l *Log) do(ctx context.Context, something func() error) error {
	return l.await(ctx, func() (bool, error) { return true, something() })
}

// AwaitConnected implements backend.Appender.
func (l *Log) AwaitConnected(ctx context.Context) error {
	return l.do(ctx, func() error { return nil })
}

// Append implements backend.Appender.
func (l *Log) Append(ctx context.Context, batch *revision.Batch) (out revision.Appended, err error) {
	err = l.do(ctx, func() (err error) {
		if l.refused != nil {
			return l.refused
		}
		out, err = l.send(batch)
		return err
	})
	return out, err
}

// Refused implements backend.Appender.
func (l *Log) Refused() error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	return l.refused
}

// Barrier implements backend.Barrier.
func (l *Log) Barrier(ctx context.Context) (seq revision.Seq, err error) {
	err = l.await(ctx, func() (bool, error) {
		seq = l.store.last
		return !l.held, nil
	})
	return seq, err
}

// Next implements backend.Source. Slots of other members are copies.
func (l *Log) Next(ctx context.Context) (revision.Slot, error) {
	var next slot
	err := l.await(ctx, func() (found bool, err error) {
		if next, found, err = l.store.after(l.at); found {
			l.at = next.Seq
		}
		return found, err
	})
	if err == nil && next.writer != l {
		requests := make([]*recordpb.Request, len(next.Requests))
		for i, r := range next.Requests {
			requests[i] = proto.CloneOf(r)
		}
		next.Requests = requests
	}
	return next.Slot, err
}

// Applied implements backend.Source.
func (l *Log) Applied(revision.Seq, revision.Rev) {}

// Backlog implements backend.Source.
func (l *Log) Backlog(ctx context.Context) (n int64, err error) {
	err = l.do(ctx, func() error {
		for at := l.at; ; n++ {
			next, found, err := l.store.after(at)
			if !found || err != nil {
				return nil
			}
			at = next.Seq
		}
	})
	return n, err
}

// Checkpoint implements backend.Source.
func (l *Log) Checkpoint() (*revision.Checkpoint, bool) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	c := l.loaded
	if c == nil {
		return nil, false
	}
	return &revision.Checkpoint{Segment: c.segment, Meta: c.meta, RawBytes: c.bytes - int64(len(c.meta)),
		Chunks: func(context.Context) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				for _, chunk := range c.chunks {
					if !yield(bytes.Clone(chunk), nil) {
						return
					}
				}
			}
		}}, true
}

// Reload implements backend.Source.
func (l *Log) Reload(ctx context.Context) error {
	return l.do(ctx, func() error {
		l.load()
		return nil
	})
}

// Distrust implements backend.Source. It ends this member's log only.
func (l *Log) Distrust(err error) error {
	l.Break(err)
	return err
}

// Join implements backend.Membership.
func (l *Log) Join(ctx context.Context, member revision.Member) error {
	return l.do(ctx, func() error {
		if l.store.index(member.Name) >= 0 {
			return fmt.Errorf("%w: %q", revision.ErrNameTaken, member.Name)
		}
		l.member = member
		l.store.members = append(l.store.members, l)
		return nil
	})
}

// index is that of a member in the list, -1 if it is not there. The lock is held.
func (s *Store) index(name string) int {
	return slices.IndexFunc(s.members, func(m *Log) bool { return m.member.Name == name })
}

// Leave implements backend.Membership.
func (l *Log) Leave(ctx context.Context) error {
	return l.do(ctx, func() error {
		l.store.leave(l)
		return nil
	})
}

// Members implements backend.Membership.
func (l *Log) Members(context.Context) (list []revision.Member, err error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.away || l.broken != nil {
		return nil, revision.ErrUnavailable
	}
	for _, m := range l.store.members {
		list = append(list, m.member)
	}
	return list, nil
}

// Alive implements backend.Membership: a member is alive that is connected.
func (l *Log) Alive(_ context.Context, name string) (bool, error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.away || l.broken != nil {
		return false, revision.ErrUnavailable
	}
	i := l.store.index(name)
	return i >= 0 && !l.store.members[i].away, nil
}

// Close implements backend.Log.
func (l *Log) Close() error {
	l.store.update(func() {
		l.store.leave(l)
		if l.broken == nil {
			l.broken = revision.ErrClosed
		}
	})
	return nil
}
