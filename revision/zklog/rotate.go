package zklog

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// rotation seals segments and opens the next.
type rotation struct {
	*link
	rotating atomic.Bool
}

// consider opens the next segment once this one is full. The member that
// appended last sees the need; the check of the log's version lets one win.
func (r *rotation) consider(segment zkroot.SegmentRef) {
	slots, bytes := r.tail.size()
	if slots < r.cfg.MaxSlots && bytes < r.cfg.MaxBytes || !r.rotating.CompareAndSwap(false, true) {
		return
	}
	r.group.Go(func() {
		defer r.rotating.Store(false)
		r.seal(r.ctx, segment) //nolint:errcheck // the next append sees the need again
	})
}

// Seal implements backend.Log.
func (l *Log) Seal(ctx context.Context, segment int64) error {
	for {
		open, _ := l.tail.head()
		if open.Number > segment {
			return nil
		}
		if _, err := l.session.Get(ctx); err != nil {
			return err
		}
		if err := l.rotation.seal(ctx, open); errors.Is(err, revision.ErrRefused) {
			return err
		}
	}
}

// seal seals a segment and opens the next. It is tried once: if it fails,
// the next append sees the need again.
func (r *rotation) seal(ctx context.Context, segment zkroot.SegmentRef) error {
	conn, err := r.session.Get(ctx)
	if err != nil {
		return err
	}
	opCtx, cancel := r.session.Bound(ctx)
	defer cancel()
	next := zkroot.NewSegmentRef(segment.Number+1, r.cfg.Random)
	_, err = conn.Multi(opCtx,
		zkclient.SetOp(r.layout.Log(), zkroot.MustJSON(zkroot.OpenRecord{OpenSegment: next.Name}), segment.Number),
		zkclient.CreateOp(r.layout.Segment(next.Name), zkroot.MustJSON(zkroot.SegmentRecord{})),
		zkclient.CreateOp(r.layout.Stage(next.Name), nil))
	if err == nil {
		r.cfg.Log.WithField("segment", next.Name).Debug("opened a new segment")
		r.tail.observeOpen(next)
		return nil
	}
	if code := zkclient.CodeOf(err); code != nil && code.Does != zkclient.Expected && !revision.Fatal(err) {
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
