package revision

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/go-zookeeper/zk"
)

// rotation seals segments and opens the next.
type rotation struct {
	*link
	rotating atomic.Bool
}

// consider opens the next segment once this one is full. The member that
// appended last sees the need; the check of the log's version lets one win.
func (r *rotation) consider(segment segmentRef) {
	slots, bytes := r.tail.size()
	if slots < r.cfg.MaxSlots && bytes < r.cfg.MaxBytes || !r.rotating.CompareAndSwap(false, true) {
		return
	}
	r.spawn(func() {
		defer r.rotating.Store(false)
		r.seal(r.ctx, segment) //nolint:errcheck // the next append sees the need again
	})
}

// Seal implements backend.Log.
func (l *Log) Seal(ctx context.Context, segment int64) error {
	for {
		open, _ := l.tail.head()
		if open.number > segment {
			return nil
		}
		if _, err := l.session.get(ctx); err != nil {
			return err
		}
		if err := l.rotation.seal(ctx, open); errors.Is(err, ErrRefused) {
			return err
		}
	}
}

// seal seals a segment and opens the next. It is tried once: if it fails,
// the next append sees the need again.
func (r *rotation) seal(ctx context.Context, segment segmentRef) error {
	conn, err := r.session.get(ctx)
	if err != nil {
		return err
	}
	opCtx, cancel := r.opContext(ctx)
	defer cancel()
	next := newSegmentRef(segment.number+1, r.cfg.Random)
	_, err = conn.Multi(opCtx,
		setOp(r.layout.log(), mustJSON(openRecord{next.name}), segment.number),
		createOp(r.layout.segment(next.name), mustJSON(segmentRecord{})),
		createOp(r.layout.stage(next.name), nil))
	if err == nil {
		r.cfg.Log.WithField("segment", next.name).Debug("opened a new segment")
		r.tail.observeOpen(next)
		return nil
	}
	if code := codeOf(err); code != nil && code.does != expected && !final(err) {
		r.answered(ctx, conn, code, err)
		return err
	}
	if !errors.Is(err, zk.ErrBadVersion) {
		if left, ok := r.said.Allow("rotate"); ok {
			r.cfg.Log.WithError(err).Warn("could not open a new segment; trying again with the next append" + left)
		}
	}
	r.refreshed(ctx, conn) //nolint:errcheck // the next append meets it again
	return err
}
