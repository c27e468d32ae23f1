package zklog

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// Next implements backend.Log. One's own slots come straight from the append;
// foreign ones are read, several at once.
func (l *Log) Next(ctx context.Context) (revision.Slot, error) {
	for {
		if slot, here := l.Take(); here {
			return slot, nil
		}
		if err := l.Await(ctx); err != nil {
			return revision.Slot{}, err
		}
	}
}

// Await implements readlease.Taker: it is Next but for the taking.
func (l *Log) Await(ctx context.Context) error { return l.delivery.await(ctx) }

// Take implements readlease.Taker: it returns the next slot if that is here, without
// waiting.
func (l *Log) Take() (revision.Slot, bool) { return l.delivery.take(nil) }

// TakeOwn implements readlease.Taker: it is Take for a slot with that nonce alone.
func (l *Log) TakeOwn(nonce revision.Nonce) (revision.Slot, bool) { return l.delivery.take(&nonce) }

// delivery returns the log's slots in order: the part of a Log behind Next and
// Reload, of which one goroutine of the caller's is in one at a time. Take may be
// called by another one at the same time.
type delivery struct {
	*link
	checkpoints *checkpoints
	packs       knownPacks
}

func (d *delivery) take(only *revision.Nonce) (revision.Slot, bool) {
	s := d.tail.take(only)
	if s.deliver == nil {
		return revision.Slot{}, false
	}
	if s.ahead {
		d.readAhead(s)
	}
	return s.deliver.Slot, true
}

func (d *delivery) await(ctx context.Context) error {
	for {
		s := d.tail.step()
		var err error
		switch {
		case s.here:
			return nil
		case s.fetch != nil:
			err = d.withConn(ctx, func(conn zkclient.Conn) error { return d.fetch(ctx, conn, s) })
		case s.count:
			err = d.withConn(ctx, func(conn zkclient.Conn) error { return d.count(ctx, conn, s.cur) })
		case s.advance:
			err = d.withConn(ctx, func(conn zkclient.Conn) error { return d.advance(ctx, conn, s) })
		default:
			err = d.wait(ctx, s.changed)
		}
		if err != nil {
			return err
		}
	}
}

func (d *delivery) wait(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-d.session.Failed():
		return d.session.Failure()
	}
}

// put hands slots that were read to the tail.
func (d *delivery) put(s step, entries ...*zkroot.StoredSlot) {
	for _, e := range entries {
		d.epoch.note(e.Zxid)
	}
	d.tail.put(s.generation, entries...)
}

// withConn runs f on the verified connection. It returns nil if f is to be
// tried again, which its caller's loop does.
func (d *delivery) withConn(ctx context.Context, f func(zkclient.Conn) error) error {
	conn, err := d.session.Get(ctx)
	if err != nil {
		return err
	}
	if err := f(conn); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, revision.ErrTrimmed) {
			return err
		}
		if err := d.unusable(ctx, conn, err); !errors.Is(err, errAgain) {
			return err
		}
	}
	return nil
}

// fetch reads slots that are known to exist. Bytes that cannot be trusted are
// read once more, from another server, before they stop this zkine.
func (d *delivery) fetch(ctx context.Context, conn zkclient.Conn, s step) error {
	opCtx, cancel := d.session.Bound(ctx)
	defer cancel()
	err := d.fetchOn(opCtx, conn, s)
	if !errors.Is(err, revision.ErrCorrupt) {
		return err
	}
	if left, ok := d.said.Allow("corrupt"); ok {
		d.cfg.Log.WithError(err).Error("ZooKeeper has answered with a part of the log that is not what was written; it is read once more, on another connection" + left)
	}
	other, err := d.dialBulk(opCtx)
	if err != nil {
		return err // not final: all starts again on a new connection
	}
	defer other.Close()
	return d.fetchOn(opCtx, other, s)
}

func (d *delivery) fetchOn(ctx context.Context, conn zkclient.Conn, s step) error {
	err := d.read(ctx, conn, s)
	if errors.Is(err, zkroot.ErrMissing) {
		return d.missing(ctx, conn, s)
	}
	return err
}

// read reads slots, or the packs that they are in. At any time one goroutine
// is in it: Next's caller's, or that which reads ahead. zkroot.ErrMissing says
// that one is not where the packs that are known of and the segment tell.
func (d *delivery) read(ctx context.Context, conn zkclient.Conn, s step) error {
	if s.cur.Number < s.open.Number && d.packs.segment != s.cur {
		if err := d.learnPacks(ctx, conn, s.cur); err != nil {
			return err
		}
	}
	packs := d.packs.of(s.cur)
	if i, packed := zkroot.FindPack(packs, s.fetch[0].Slot); packed {
		return d.readPacks(ctx, conn, s, packs[i:min(i+packWindow, len(packs))])
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, seq := range s.fetch {
		if _, packed := zkroot.FindPack(packs, seq.Slot); packed {
			break // read in its turn
		}
		group.Go(func() error {
			e, err := d.on(conn).Slot(groupCtx, s.cur, seq)
			if err == nil {
				d.put(s, e)
			}
			return err
		})
	}
	return group.Wait()
}

// packWindow is how many packs are read at once: to read and to decode them
// takes about as long as to apply them.
const packWindow = 4

// readPacks reads packs that follow each other.
func (d *delivery) readPacks(ctx context.Context, conn zkclient.Conn, s step, refs []zkroot.PackRef) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, ref := range refs {
		group.Go(func() error {
			entries, err := d.on(conn).Pack(ctx, s.cur, ref)
			if errors.Is(err, zk.ErrNoNode) {
				return fmt.Errorf("%w: %w", zkroot.ErrMissing, err)
			}
			d.put(s, entries...)
			return err
		})
	}
	return group.Wait()
}

// knownPacks is the packs of the segment that is being read; see read.
type knownPacks struct {
	segment zkroot.SegmentRef
	refs    []zkroot.PackRef
}

func (k *knownPacks) of(segment zkroot.SegmentRef) []zkroot.PackRef {
	if k.segment != segment {
		return nil
	}
	return k.refs
}

func (d *delivery) learnPacks(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef) error {
	refs, err := d.on(conn).Packs(ctx, segment.Name)
	if err != nil {
		return err
	}
	d.packs = knownPacks{segment, refs}
	return nil
}

// missing finds out why a slot is not where it was expected: it was packed,
// and the next fetch reads it from the pack, or removed behind a
// checkpoint, or it is lost. Missing counts only after a barrier: the server
// may have been behind.
func (d *delivery) missing(ctx context.Context, conn zkclient.Conn, s step) error {
	if err := d.on(conn).Barrier(ctx); err != nil {
		return err
	}
	if err := d.learnPacks(ctx, conn, s.cur); err != nil {
		return err
	}
	for _, seq := range s.fetch {
		if _, packed := zkroot.FindPack(d.packs.refs, seq.Slot); packed {
			return nil
		}
	}
	if err := d.on(conn).Trimmed(ctx, s.cur.Number); err != nil {
		return err
	}
	for _, seq := range s.fetch {
		if _, err := d.on(conn).Slot(ctx, s.cur, seq); errors.Is(err, zkroot.ErrMissing) {
			return fmt.Errorf("%w: slot %s is missing; restore it from a backup of ZooKeeper",
				revision.ErrCorrupt, d.layout.Slot(s.cur.Name, seq.Slot))
		} else if err != nil {
			return err
		}
	}
	return nil // the server has caught up
}

// count learns how many slots a sealed segment has. The barrier makes sure
// that the server shows the segment as it was when it was sealed, or later:
// no slot can have been added since.
func (d *delivery) count(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef) error {
	opCtx, cancel := d.session.Bound(ctx)
	defer cancel()
	if err := d.on(conn).Barrier(opCtx); err != nil {
		return err
	}
	path := d.layout.Segment(segment.Name)
	_, stat, err := conn.Get(opCtx, path)
	if errors.Is(err, zk.ErrNoNode) {
		if err := d.on(conn).Trimmed(opCtx, segment.Number); err != nil {
			return err
		}
	}
	if err != nil {
		return d.lostIfMissing(err, path)
	}
	d.tail.counted(segment, int64(stat.Version))
	return nil
}

// advance moves delivery on to the next segment.
func (d *delivery) advance(ctx context.Context, conn zkclient.Conn, s step) error {
	record, _, err := d.on(conn).Checkpoints(ctx)
	switch {
	case err == nil:
		d.checkpoints.note(record) // others' checkpoints; only sizes depend on it
	case !zkclient.Definite(err) && !revision.Fatal(err):
		return err // what comes next counts once the log is recognised again
	}
	next := s.open
	if next.Number != s.cur.Number+1 {
		opCtx, cancel := d.session.Bound(ctx)
		defer cancel()
		if next, err = d.on(conn).SegmentAfter(opCtx, s.cur.Number); err != nil {
			return err
		}
	}
	d.tail.advance(s.cur, next)
	return nil
}
