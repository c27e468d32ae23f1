package zklog

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// Barrier implements backend.Log: multi{check the open segment's number, check
// its count of slots}. If it passes, what is known is all there is. If it
// fails, it was a quorum write all the same, and a read on the same connection
// tells how far there is to go.
func (l *Log) Barrier(ctx context.Context) (revision.Seq, error) {
	for {
		conn, err := l.session.Get(ctx)
		if err != nil {
			return revision.Seq{}, err
		}
		seq, err := l.barriers.try(ctx, conn)
		if err == nil {
			return seq, nil
		}
		if err := l.barriers.again(ctx, conn, err); err != nil {
			return revision.Seq{}, err
		}
	}
}

// again is nil if a barrier that has failed is to be tried again.
func (b *barriers) again(ctx context.Context, conn zkclient.Conn, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", revision.ErrUnavailable, context.Cause(ctx))
	}
	if err := b.unusable(ctx, conn, err); !errors.Is(err, errAgain) {
		return err
	}
	return nil
}

// BeginBarrier implements backend.Eager: a barrier whose first sending waits for
// nothing. What that does not settle goes on in a goroutine, as Barrier does.
func (l *Log) BeginBarrier(ctx context.Context, done func(revision.Seq, error)) bool {
	conn, up := l.session.Up()
	if !up {
		return false
	}
	segment, count := l.tail.head()
	if l.cfg.OneServer {
		return l.beginLook(ctx, conn, segment, done)
	}
	return l.session.Begin(conn, func(results []zk.MultiResponse, err error) {
		if err == nil && count > 0 {
			done(revision.Seq{Segment: segment.Number, Slot: count - 1}, nil)
			return
		}
		l.group.Go(func() {
			seq, err := l.barriers.finish(ctx, conn, segment, count, results, err)
			if err != nil {
				if err = l.barriers.again(ctx, conn, err); err == nil {
					seq, err = l.Barrier(ctx)
				}
			}
			done(seq, err)
		})
	}, l.barriers.ops(segment, count)...)
}

// beginLook is a barrier on the one server that there is, which need not be a write: the
// segment is read first, then which one is open. If that is still this segment, it was when
// its slots were counted, and no slot was in another one then. See docs/design.md,
// "Barrier". What the reads do not settle a quorum write does.
func (l *Log) beginLook(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, done func(revision.Seq, error)) bool {
	return l.session.BeginStats(conn, func(stats []zk.Stat, err error) {
		isOpen := err == nil && int64(stats[1].Version) == segment.Number
		if isOpen && stats[0].Version > 0 {
			count := int64(stats[0].Version)
			l.tail.observe(segment.Number, count)
			done(revision.Seq{Segment: segment.Number, Slot: count - 1}, nil)
			return
		}
		l.group.Go(func() {
			if isOpen { // and empty
				if seq, err := l.barriers.finish(ctx, conn, segment, 0, nil, nil); err == nil {
					done(seq, nil)
					return
				}
			}
			if err != nil && !errors.Is(err, zk.ErrNoNode) {
				if err := l.barriers.again(ctx, conn, err); err != nil {
					done(revision.Seq{}, err)
					return
				}
			}
			done(l.Barrier(ctx))
		})
	}, l.layout.Segment(segment.Name), l.layout.Log())
}

// barriers shows, with a quorum write, how far the log reaches.
type barriers struct{ *link }

func (b *barriers) try(ctx context.Context, conn zkclient.Conn) (revision.Seq, error) {
	ctx, cancel := b.session.Bound(ctx)
	defer cancel()
	segment, count := b.tail.head()
	results, err := conn.Multi(ctx, b.ops(segment, count)...)
	return b.judge(ctx, conn, segment, count, results, err)
}

func (b *barriers) ops(segment zkroot.SegmentRef, count int64) []any {
	return []any{zkclient.CheckOp(b.layout.Log(), segment.Number), zkclient.CheckOp(b.layout.Segment(segment.Name), count)}
}

// finish is judge for a barrier that was begun.
func (b *barriers) finish(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, count int64,
	results []zk.MultiResponse, err error) (revision.Seq, error) {
	ctx, cancel := b.session.Bound(ctx)
	defer cancel()
	return b.judge(ctx, conn, segment, count, results, err)
}

// judge makes of the answer to a barrier the place that it shows.
func (b *barriers) judge(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, count int64,
	results []zk.MultiResponse, err error) (revision.Seq, error) {
	if err == nil {
		return b.lastSlot(ctx, conn, segment, count)
	}
	op, _ := zkclient.FailedOp(results)
	if !errors.Is(err, zk.ErrBadVersion) || op < 0 {
		return revision.Seq{}, b.lostIfMissing(err, b.layout.Segment(segment.Name))
	}
	if op == 0 {
		if segment, err = b.readOpen(ctx, conn); err != nil {
			return revision.Seq{}, err
		}
	}
	_, stat, err := conn.Get(ctx, b.layout.Segment(segment.Name))
	if err != nil {
		return revision.Seq{}, err
	}
	b.tail.observe(segment.Number, int64(stat.Version))
	return b.lastSlot(ctx, conn, segment, int64(stat.Version))
}

// lastSlot returns the last slot at or before the end of a segment with count
// slots: a segment may be empty. Sealed segments before it do not change.
func (b *barriers) lastSlot(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, count int64) (revision.Seq, error) {
	for count == 0 && segment.Number > 1 {
		var err error
		if segment, err = b.on(conn).SegmentAfter(ctx, segment.Number-2); err != nil {
			return revision.Seq{}, err
		}
		_, stat, err := conn.Get(ctx, b.layout.Segment(segment.Name))
		if err != nil {
			return revision.Seq{}, err
		}
		count = int64(stat.Version)
	}
	if count == 0 {
		return revision.Seq{}, nil
	}
	return revision.Seq{Segment: segment.Number, Slot: count - 1}, nil
}

// Backlog implements backend.Log. A connection that is lost on the way is no
// reason to fail: then it is what was counted so far.
func (l *Log) Backlog(ctx context.Context) (slots int64, err error) {
	conn, err := l.session.Get(ctx)
	if err != nil {
		return 0, err
	}
	opCtx, cancel := l.session.Bound(ctx)
	defer cancel()
	refs, err := l.on(conn).Segments(opCtx)
	if revision.Fatal(err) {
		return 0, err
	}
	first, delivered := l.tail.place()
	for _, ref := range refs {
		if ref.Number < first {
			continue
		}
		stat, err := conn.Exists(opCtx, l.layout.Segment(ref.Name))
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			break
		}
		if err == nil {
			slots += int64(stat.Version)
		}
	}
	return max(slots-delivered, 0), nil
}
