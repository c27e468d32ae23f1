package zklog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// recognise verifies a new connection before anyone uses it: the server may lag
// behind what was seen, and the ensemble may have been wiped, restored or
// have lost its tail. See docs/design.md, "Sessions".
func (l *Log) recognise(ctx context.Context, conn zkclient.Conn) error {
	if !l.opened {
		return l.recogniseFirst(ctx, conn)
	}
	err := l.recogniseAgain(ctx, conn)
	if errors.Is(err, revision.ErrLogLost) {
		return l.unlessAccepted(ctx, conn, err)
	}
	return err
}

func (l *Log) recogniseAgain(ctx context.Context, conn zkclient.Conn) error {
	// What is known has to be noted before the quorum write: another connection
	// may still be in use, and learn more at the same time.
	seen := l.tail.seen()
	// A quorum write: afterwards this server shows all that was committed.
	if err := l.on(conn).Barrier(ctx); err != nil {
		return l.lostIfMissing(err, l.layout.Format())
	}
	id, err := l.on(conn).Format(ctx)
	if err != nil {
		return l.lostIfMissing(err, l.layout.Format())
	}
	if id != l.clusterID {
		return fmt.Errorf("%w: %s names cluster %x, this zkine serves %x; see docs/operations.md, \"The log went back\"",
			revision.ErrLogLost, l.layout.Format(), id, l.clusterID)
	}
	err = l.recogniseSeen(ctx, conn, seen)
	if unlessTrimmed(err) != nil {
		return err
	}
	if last := l.tail.forgetReady(); last.Slot.Seq != seen.last.Slot.Seq {
		// Next has gone on until now, with what it had read before.
		if err := l.on(conn).Barrier(ctx); err != nil {
			return l.lostIfMissing(err, l.layout.Format())
		}
		if err = l.recogniseLast(ctx, conn, last); unlessTrimmed(err) != nil {
			return err
		}
	}
	l.standing.recognised(err == nil)
	if err := l.mayServe(ctx, conn); err != nil {
		return err
	}
	if err := l.member.Renew(ctx, conn); err != nil {
		return fmt.Errorf("%w: %w", zkclient.ErrDisplaced, err)
	}
	return nil
}

func (l *Log) recogniseFirst(ctx context.Context, conn zkclient.Conn) error {
	// A quorum write, as above. Whether there is a root at all shows by it, too.
	err := l.on(conn).Barrier(ctx)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	id, made, err := zkroot.OpenRoot(ctx, conn, l.cfg.wanted(), l.cfg.Random)
	if err != nil {
		return err
	}
	if err := l.cfg.wanted().Allows(id); err != nil && !made {
		return err
	}
	l.clusterID, l.found.Made = id, made
	open, err := l.readOpen(ctx, conn)
	if err != nil {
		return err
	}
	if err := l.recogniseServed(ctx, conn, open); err != nil {
		return err
	}
	if err := l.mayServe(ctx, conn); err != nil {
		return err
	}
	if err := l.mustExist(ctx, conn, open); err != nil {
		return err
	}
	if err := l.delivery.startAfterCheckpoint(ctx, conn, open); err != nil {
		return err
	}
	l.opened = true
	return nil
}

// mustExist shows that the open segment is there. It may have been sealed and
// removed in the meantime: then the caller begins again.
func (l *Log) mustExist(ctx context.Context, conn zkclient.Conn, open zkroot.SegmentRef) error {
	path := l.layout.Segment(open.Name)
	_, stat, err := conn.Get(ctx, path)
	if err == nil {
		l.found.Written = time.UnixMilli(stat.Mtime)
	}
	if !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	if now, err := l.readOpen(ctx, conn); err != nil || now != open {
		return fmt.Errorf("%s was open a moment ago: %w", path, errors.Join(err, errAgain))
	}
	return fmt.Errorf("%w: the open segment %s is missing; restore it from a backup of ZooKeeper", revision.ErrCorrupt, path)
}

// recogniseSeen shows that the log still holds what was seen of it. ErrTrimmed: a
// checkpoint covers that.
func (l *Log) recogniseSeen(ctx context.Context, conn zkclient.Conn, seen seen) error {
	known, count := seen.open, seen.count
	open, err := l.readOpen(ctx, conn)
	if err != nil {
		return l.lostIfMissing(err, l.layout.Log())
	}
	if open.Number < known.Number || open.Number == known.Number && open.Name != known.Name {
		return fmt.Errorf("%w: the open segment is %s, it was %s; see docs/operations.md, \"The log went back\"",
			revision.ErrLogLost, open.Name, known.Name)
	}
	path := l.layout.Segment(known.Name)
	_, stat, err := conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return l.trimmedOrLost(ctx, conn, known.Number, path)
	}
	if err != nil {
		return err
	}
	if int64(stat.Version) < count {
		return fmt.Errorf("%w: %s holds %d slots, %d were known; see docs/operations.md, \"The log went back\"",
			revision.ErrLogLost, path, stat.Version, count)
	}
	err = l.recogniseLast(ctx, conn, seen.last)
	if seen.last.Slot.Seq.Segment < known.Number {
		return unlessTrimmed(err) // that segment was begun after the slot
	}
	return err
}

// recogniseLast shows that the log holds the slot that was delivered last. ErrTrimmed: a
// checkpoint covers it.
func (l *Log) recogniseLast(ctx context.Context, conn zkclient.Conn, last zkroot.StoredSlot) error {
	if last.Slot.Seq == (revision.Seq{}) {
		return nil
	}
	path := l.layout.Slot(last.Segment.Name, last.Slot.Seq.Slot)
	data, _, err := conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return l.recogniseElsewhere(ctx, conn, last)
	}
	if err != nil {
		return err
	}
	nonce, err := zkroot.NonceOf(data)
	if err != nil { // one server's copy may be damaged: that concerns this zkine alone
		return fmt.Errorf("%s: %w", path, err)
	}
	if nonce != last.Slot.Nonce {
		return fmt.Errorf("%w: %s is not the slot that was applied; see docs/operations.md, \"The log went back\"", revision.ErrLogLost, path)
	}
	return nil
}

// recogniseElsewhere looks for the slot delivered last where it can be but in
// its own znode: in a pack, or behind a checkpoint.
func (l *Log) recogniseElsewhere(ctx context.Context, conn zkclient.Conn, last zkroot.StoredSlot) error {
	packs, err := l.on(conn).Packs(ctx, last.Segment.Name)
	if err != nil {
		return err
	}
	path := l.layout.Slot(last.Segment.Name, last.Slot.Seq.Slot)
	if i, packed := zkroot.FindPack(packs, last.Slot.Seq.Slot); packed {
		ref := packs[i]
		entries, err := l.on(conn).Pack(ctx, last.Segment, ref)
		if errors.Is(err, revision.ErrCorrupt) {
			// The parts of a slot in it may have been trimmed since it was read.
			if trimmed := l.on(conn).Trimmed(ctx, last.Slot.Seq.Segment); trimmed != nil {
				return trimmed
			}
		}
		if err != nil {
			return err
		}
		l.epoch.note(entries[0].Zxid)
		if entries[last.Slot.Seq.Slot-ref.First].Slot.Nonce == last.Slot.Nonce {
			return nil
		}
		return fmt.Errorf("%w: %s, packed, is not the slot that was applied; see docs/operations.md, \"The log went back\"",
			revision.ErrLogLost, path)
	}
	return l.trimmedOrLost(ctx, conn, last.Slot.Seq.Segment, path)
}

// trimmedOrLost judges a znode of a segment that is gone: ErrTrimmed if a checkpoint
// covers the segment, ErrLogLost if none does; another error if that could not be found
// out.
func (l *Log) trimmedOrLost(ctx context.Context, conn zkclient.Conn, segment int64, path string) error {
	if err := l.on(conn).Trimmed(ctx, segment); err != nil {
		return err
	}
	return l.lostIfMissing(zk.ErrNoNode, path)
}

// unlessTrimmed makes nil of ErrTrimmed: Next finds the same, and reloads.
func unlessTrimmed(err error) error {
	if errors.Is(err, revision.ErrTrimmed) {
		return nil
	}
	return err
}
