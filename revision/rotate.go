package revision

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"
)

// readOpen reads which segment is open, and tells the tail.
func (l *Log) readOpen(ctx context.Context, conn Conn) (segmentRef, error) {
	open, err := newReader(conn, l.layout).open(ctx)
	if err == nil {
		l.tail.observeOpen(open)
	}
	return open, err
}

// refreshed learns the open segment anew, after a check showed that it had
// changed, and returns errAgain or a final error.
func (l *Log) refreshed(ctx context.Context, conn Conn) error {
	opCtx, cancel := l.opContext(ctx)
	defer cancel()
	if _, err := l.readOpen(opCtx, conn); err != nil {
		return l.unusable(ctx, conn, err)
	}
	return errAgain
}

// unusable deals with an error that leaves only another try, mostly on another
// connection, or none: it returns errAgain, or the error if that is final.
func (l *Log) unusable(ctx context.Context, conn Conn, err error) error {
	if final(err) {
		l.session.fail(err)
		return err
	}
	if code := CodeOf(err); code != nil && code.Does != Expected {
		l.answered(ctx, conn, code, err)
		return errAgain
	}
	l.session.retire(conn)
	return errAgain
}

// answered deals with a code that may not come again: it pauses, and has a new
// session made if that is what may help.
func (l *Log) answered(ctx context.Context, conn Conn, code *KeeperCode, err error) {
	code.Warn(l.cfg.Log, &l.said, err)
	if code.Does == Redial {
		l.session.retire(conn)
	}
	l.pause.wait(ctx)
}

// considerRotation opens the next segment once this one is full. Whoever
// appended last sees the need; the check of the log's version lets one win.
func (l *Log) considerRotation(segment segmentRef) {
	slots, bytes := l.tail.size()
	if slots < l.cfg.MaxSlots && bytes < l.cfg.MaxBytes || !l.rotating.CompareAndSwap(false, true) {
		return
	}
	l.group.Go(func() {
		defer l.rotating.Store(false)
		l.rotate(l.ctx, segment) //nolint:errcheck // the next append sees the need again
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
		if err := l.rotate(ctx, open); errors.Is(err, ErrRefused) {
			return err
		}
	}
}

// rotate seals a segment and opens the next. It is tried once: if it fails,
// the next append sees the need again.
func (l *Log) rotate(ctx context.Context, segment segmentRef) error {
	conn, err := l.session.get(ctx)
	if err != nil {
		return err
	}
	opCtx, cancel := l.opContext(ctx)
	defer cancel()
	next := newSegmentRef(segment.number+1, l.cfg.Random)
	_, err = conn.Multi(opCtx,
		setOp(l.layout.log(), mustJSON(openRecord{next.name}), segment.number),
		createOp(l.layout.segment(next.name), mustJSON(segmentRecord{})),
		createOp(l.layout.stage(next.name), nil))
	if err == nil {
		l.cfg.Log.WithField("segment", next.name).Debug("opened a new segment")
		l.tail.observeOpen(next)
		return nil
	}
	if code := CodeOf(err); code != nil && code.Does != Expected && !final(err) {
		l.answered(ctx, conn, code, err)
		return err
	}
	if !errors.Is(err, zk.ErrBadVersion) {
		if left, ok := l.said.Allow("rotate"); ok {
			l.cfg.Log.WithError(err).Warn("could not open a new segment; trying again with the next append" + left)
		}
	}
	l.refreshed(ctx, conn) //nolint:errcheck // the next append meets it again
	return err
}
