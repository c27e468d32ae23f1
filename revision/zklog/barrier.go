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
		if ctx.Err() != nil {
			return revision.Seq{}, fmt.Errorf("%w: %w", revision.ErrUnavailable, context.Cause(ctx))
		}
		if err := l.unusable(ctx, conn, err); !errors.Is(err, errAgain) {
			return revision.Seq{}, err
		}
	}
}

// barriers shows, with a quorum write, how far the log reaches.
type barriers struct{ *link }

func (b *barriers) try(ctx context.Context, conn zkclient.Conn) (revision.Seq, error) {
	ctx, cancel := b.session.Bound(ctx)
	defer cancel()
	segment, count := b.tail.head()
	results, err := conn.Multi(ctx,
		zkclient.CheckOp(b.layout.Log(), segment.Number),
		zkclient.CheckOp(b.layout.Segment(segment.Name), count))
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
