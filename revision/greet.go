package revision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
)

// greet verifies a new connection before anyone uses it: the server may lag
// behind what was seen, and the ensemble may have been wiped, restored or
// have lost its tail. See docs/design.md, "Sessions".
func (l *Log) greet(ctx context.Context, conn Conn) error {
	if !l.opened {
		return l.greetFirst(ctx, conn)
	}
	err := l.greetAgain(ctx, conn)
	if errors.Is(err, ErrLogLost) {
		return l.unlessAccepted(ctx, conn, err)
	}
	return err
}

func (l *Log) greetAgain(ctx context.Context, conn Conn) error {
	// What is known has to be noted before the quorum write: another connection
	// may still be in use, and learn more meanwhile.
	seen := l.tail.seen()
	// A quorum write: afterwards this server shows all that was committed.
	if err := l.on(conn).barrier(ctx); err != nil {
		return l.lostIfMissing(err, l.layout.format())
	}
	id, err := l.on(conn).format(ctx)
	if err != nil {
		return l.lostIfMissing(err, l.layout.format())
	}
	if id != l.clusterID {
		return fmt.Errorf("%w: %s names cluster %x, this zkine serves %x; see docs/operations.md, \"The log went back\"",
			ErrLogLost, l.layout.format(), id, l.clusterID)
	}
	if err := l.recognise(ctx, conn, seen); err != nil {
		return err
	}
	if last := l.tail.forgetReady(); last.slot.Seq != seen.last.slot.Seq {
		// Next has gone on meanwhile, with what it had read before.
		if err := l.on(conn).barrier(ctx); err != nil {
			return l.lostIfMissing(err, l.layout.format())
		}
		if err := l.recogniseLast(ctx, conn, last); err != nil {
			return err
		}
	}
	if err := l.mayServe(ctx, conn); err != nil {
		return err
	}
	if err := l.member.greet(ctx, conn); err != nil {
		return fmt.Errorf("%w: %w", errUnlisted, err)
	}
	return nil
}

// errUnlisted says that the member's znode could not be put up, and that the
// one of an earlier session may be gone by now.
var errUnlisted = errors.New("revision: the member's znode could not be put up")

func (l *Log) greetFirst(ctx context.Context, conn Conn) error {
	// A quorum write, as above. Whether there is a root at all shows by it, too.
	err := l.on(conn).barrier(ctx)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	id, made, err := openRoot(ctx, conn, l.cfg.wanted(), l.cfg.Random)
	if err != nil {
		return err
	}
	if err := l.cfg.wanted().allows(id); err != nil && !made {
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
	l.member.init(l)
	l.opened = true
	return nil
}

// mustExist shows that the open segment is there. It may have been sealed and
// removed in the meantime: then the caller begins anew.
func (l *Log) mustExist(ctx context.Context, conn Conn, open segmentRef) error {
	path := l.layout.segment(open.name)
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
	return fmt.Errorf("%w: the open segment %s is missing; restore it from a backup of ZooKeeper", ErrCorrupt, path)
}

// recognise shows that the log still holds what was seen of it.
func (l *Log) recognise(ctx context.Context, conn Conn, seen seen) error {
	known, count := seen.open, seen.count
	open, err := l.readOpen(ctx, conn)
	if err != nil {
		return l.lostIfMissing(err, l.layout.log())
	}
	if open.number < known.number || open.number == known.number && open.name != known.name {
		return fmt.Errorf("%w: the open segment is %s, it was %s; see docs/operations.md, \"The log went back\"",
			ErrLogLost, open.name, known.name)
	}
	path := l.layout.segment(known.name)
	_, stat, err := conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		if err := l.on(conn).trimmed(ctx, known.number); errors.Is(err, ErrTrimmed) {
			return nil // Next will find the same, and reload
		}
	}
	if err != nil {
		return l.lostIfMissing(err, path)
	}
	if int64(stat.Version) < count {
		return fmt.Errorf("%w: %s holds %d slots, %d were known; see docs/operations.md, \"The log went back\"",
			ErrLogLost, path, stat.Version, count)
	}
	return l.recogniseLast(ctx, conn, seen.last)
}

// recogniseLast shows that the log holds the slot that was delivered last.
func (l *Log) recogniseLast(ctx context.Context, conn Conn, last entry) error {
	if last.slot.Seq == (Seq{}) {
		return nil
	}
	path := l.layout.slot(last.segment.name, last.slot.Seq.Slot)
	data, _, err := conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return l.recogniseElsewhere(ctx, conn, last)
	}
	if err != nil {
		return err
	}
	if e, err := openEnvelope(data); err != nil || e.nonce != last.slot.Nonce {
		return fmt.Errorf("%w: %s is not the slot that was applied (%v); see docs/operations.md, \"The log went back\"", //nolint:errorlint // it is lost, not corrupt
			ErrLogLost, path, err)
	}
	return nil
}

// recogniseElsewhere looks for the slot delivered last where it can be but in
// its own znode: in a pack, or behind a checkpoint.
func (l *Log) recogniseElsewhere(ctx context.Context, conn Conn, last entry) error {
	packs, err := l.on(conn).packs(ctx, last.segment.name)
	if err != nil {
		return err
	}
	path := l.layout.slot(last.segment.name, last.slot.Seq.Slot)
	if i, packed := findPack(packs, last.slot.Seq.Slot); packed {
		ref := packs[i]
		entries, err := l.on(conn).pack(ctx, last.segment, ref)
		if err != nil {
			return err
		}
		l.epoch.note(entries[0].zxid)
		if entries[last.slot.Seq.Slot-ref.first].slot.Nonce == last.slot.Nonce {
			return nil
		}
		return fmt.Errorf("%w: %s, packed, is not the slot that was applied; see docs/operations.md, \"The log went back\"",
			ErrLogLost, path)
	}
	if err := l.on(conn).trimmed(ctx, last.slot.Seq.Segment); errors.Is(err, ErrTrimmed) {
		return nil // Next will find the same, and reload
	} else if err != nil {
		return err
	}
	return l.lostIfMissing(zk.ErrNoNode, path)
}
