package revision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"github.com/go-zookeeper/zk"
)

// readOpen reads which segment is open, and tells the tail.
func (l *Log) readOpen(ctx context.Context, conn Conn) (segmentRef, error) {
	data, stat, err := conn.Get(ctx, l.layout.log())
	if err != nil {
		return segmentRef{}, fmt.Errorf("read %s: %w", l.layout.log(), err)
	}
	return l.parseOpen(data, stat)
}

func (l *Log) parseOpen(data []byte, stat *zk.Stat) (segmentRef, error) {
	var record openRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return segmentRef{}, fmt.Errorf("%w: %s is not an open-segment record; restore it from a backup", ErrCorrupt, l.layout.log())
	}
	ref, err := parseSegmentRef(record.OpenSegment)
	if err != nil {
		return segmentRef{}, fmt.Errorf("%s: %w", l.layout.log(), err)
	}
	if ref.number != int64(stat.Version) {
		return segmentRef{}, fmt.Errorf("%w: %s names segment %s at version %d: someone else has written to it",
			ErrCorrupt, l.layout.log(), ref.name, stat.Version)
	}
	l.tail.observeOpen(ref)
	return ref, nil
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
	if code := codeOf(err); code != nil && code.does != expected {
		l.answered(ctx, conn, code, err)
		return errAgain
	}
	l.session.retire(conn)
	return errAgain
}

// answered deals with a code that may not come again: it pauses, and has a new
// session made if that is what may help.
func (l *Log) answered(ctx context.Context, conn Conn, code *keeperCode, err error) {
	code.warn(l.cfg.Log, &l.said, err)
	if code.does == anew {
		l.session.retire(conn)
	}
	l.pause.wait(ctx)
}

// listSegments lists the segments in order of their numbers, and refuses
// strangers among them.
func listSegments(ctx context.Context, conn Conn, l layout) ([]segmentRef, error) {
	names, err := conn.Children(ctx, l.log())
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", l.log(), err)
	}
	refs := make([]segmentRef, 0, len(names))
	for _, name := range names {
		ref, err := parseSegmentRef(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove what does not belong there", l.segment(name), err)
		}
		refs = append(refs, ref)
	}
	sort.Slice(refs, func(i, j int) bool { return refs[i].number < refs[j].number })
	for i := 1; i < len(refs); i++ {
		if refs[i].number == refs[i-1].number {
			return nil, fmt.Errorf("%w: %s holds two segments numbered %d; remove what does not belong there",
				ErrCorrupt, l.log(), refs[i].number)
		}
	}
	return refs, nil
}

// segmentAfter returns the segment after k. If it is not there, it was removed
// behind a checkpoint (errTrimmed), or is lost.
func (l *Log) segmentAfter(ctx context.Context, conn Conn, k int64) (segmentRef, error) {
	refs, err := listSegments(ctx, conn, l.layout)
	if err != nil {
		return segmentRef{}, err
	}
	i := sort.Search(len(refs), func(i int) bool { return refs[i].number > k })
	if i < len(refs) && refs[i].number == k+1 {
		return refs[i], nil
	}
	if err := l.trimmed(ctx, conn, k+1); err != nil {
		return segmentRef{}, err
	}
	return segmentRef{}, fmt.Errorf("%w: segment %d is missing under %s; restore it from a backup of ZooKeeper",
		ErrCorrupt, k+1, l.layout.log())
}

// trimmed returns ErrTrimmed if segment k may have been removed, because a
// checkpoint covers it that is not the latest; nil if it must be there.
func (l *Log) trimmed(ctx context.Context, conn Conn, k int64) error {
	record, _, err := readCheckpointRecord(ctx, conn, l.layout)
	if err != nil {
		return err
	}
	if record.Previous != nil && k <= record.Previous.Segment {
		return fmt.Errorf("%w: segment %d is gone, the newest checkpoint covers up to %d", ErrTrimmed, k, record.Latest.Segment)
	}
	return nil
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
	if code := codeOf(err); code != nil && code.does != expected && !final(err) {
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
