package revision

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// Barrier implements backend.Log: multi{check the open segment's number, check
// its count of slots}. If it passes, what is known is all there is. If it
// fails, it was a quorum write all the same, and a read on the same connection
// tells how far there is to go.
func (l *Log) Barrier(ctx context.Context) (Seq, error) {
	for {
		conn, err := l.session.get(ctx)
		if err != nil {
			return Seq{}, err
		}
		seq, err := l.barriers.try(ctx, conn)
		if err == nil {
			return seq, nil
		}
		if ctx.Err() != nil {
			return Seq{}, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
		if err := l.unusable(ctx, conn, err); !errors.Is(err, errAgain) {
			return Seq{}, err
		}
	}
}

// barriers shows, with a quorum write, how far the log reaches.
type barriers struct{ *link }

func (b *barriers) try(ctx context.Context, conn Conn) (Seq, error) {
	ctx, cancel := b.opContext(ctx)
	defer cancel()
	segment, count := b.tail.head()
	results, err := conn.Multi(ctx,
		checkOp(b.layout.log(), segment.number),
		checkOp(b.layout.segment(segment.name), count))
	if err == nil {
		return b.lastSlot(ctx, conn, segment, count)
	}
	op, _ := failedOp(results)
	if !errors.Is(err, zk.ErrBadVersion) || op < 0 {
		return Seq{}, b.lostIfMissing(err, b.layout.segment(segment.name))
	}
	if op == 0 {
		if segment, err = b.readOpen(ctx, conn); err != nil {
			return Seq{}, err
		}
	}
	_, stat, err := conn.Get(ctx, b.layout.segment(segment.name))
	if err != nil {
		return Seq{}, err
	}
	b.tail.observe(segment.number, int64(stat.Version))
	return b.lastSlot(ctx, conn, segment, int64(stat.Version))
}

// lastSlot returns the last slot at or before the end of a segment with count
// slots: a segment may be empty. Sealed segments before it do not change.
func (b *barriers) lastSlot(ctx context.Context, conn Conn, segment segmentRef, count int64) (Seq, error) {
	for count == 0 && segment.number > 1 {
		var err error
		if segment, err = b.on(conn).segmentAfter(ctx, segment.number-2); err != nil {
			return Seq{}, err
		}
		_, stat, err := conn.Get(ctx, b.layout.segment(segment.name))
		if err != nil {
			return Seq{}, err
		}
		count = int64(stat.Version)
	}
	if count == 0 {
		return Seq{}, nil
	}
	return Seq{segment.number, count - 1}, nil
}
