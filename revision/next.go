package revision

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"
)

// Next implements backend.Log. One's own slots come straight from the append;
// foreign ones are read, several at once.
func (l *Log) Next(ctx context.Context) (Slot, error) {
	for {
		s := l.tail.step()
		var err error
		switch {
		case s.deliver != nil:
			if s.ahead {
				l.readAhead(s)
			}
			return s.deliver.slot, nil
		case s.fetch != nil:
			err = l.withConn(ctx, func(conn Conn) error { return l.fetch(ctx, conn, s) })
		case s.count:
			err = l.withConn(ctx, func(conn Conn) error { return l.count(ctx, conn, s.cur) })
		case s.advance:
			err = l.withConn(ctx, func(conn Conn) error { return l.advance(ctx, conn, s) })
		default:
			err = l.wait(ctx, s.changed)
		}
		if err != nil {
			return Slot{}, err
		}
	}
}

func (l *Log) wait(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.session.failures():
		return l.session.failure()
	}
}

// on reads the log's root on a connection.
func (l *Log) on(conn Conn) Reader { return newReader(conn, l.layout) }

// put hands slots that were read to the tail.
func (l *Log) put(s step, entries ...*entry) {
	for _, e := range entries {
		l.noteZxid(e.zxid)
	}
	l.tail.put(s.era, entries...)
}

// withConn runs f on the verified connection. It returns nil if f is to be
// tried again, which its caller's loop does.
func (l *Log) withConn(ctx context.Context, f func(Conn) error) error {
	conn, err := l.session.get(ctx)
	if err != nil {
		return err
	}
	if err := f(conn); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, ErrTrimmed) {
			return err
		}
		if err := l.unusable(ctx, conn, err); !errors.Is(err, errAgain) {
			return err
		}
	}
	return nil
}

// fetch reads slots that are known to exist. Bytes that cannot be trusted are
// read once more, from another server, before they stop this zkine.
func (l *Log) fetch(ctx context.Context, conn Conn, s step) error {
	opCtx, cancel := l.opContext(ctx)
	defer cancel()
	err := l.fetchOn(opCtx, conn, s)
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	l.cfg.Log.WithError(err).Error("a slot cannot be trusted; reading it once more on another connection")
	other, err := l.dialBulk(opCtx)
	if err != nil {
		return err // not final: all starts again on a new connection
	}
	defer other.Close()
	return l.fetchOn(opCtx, other, s)
}

func (l *Log) fetchOn(ctx context.Context, conn Conn, s step) error {
	err := l.read(ctx, conn, s)
	if errors.Is(err, errMissing) {
		return l.missing(ctx, conn, s)
	}
	return err
}

// read reads slots, or the packs that they are in. At any time one goroutine
// is in it: Next's caller's, or that which reads ahead. errMissing says that
// one is not where the packs that are known of and the segment tell.
func (l *Log) read(ctx context.Context, conn Conn, s step) error {
	if s.cur.number < s.open.number && l.packs.segment != s.cur {
		if err := l.learnPacks(ctx, conn, s.cur); err != nil {
			return err
		}
	}
	packs := l.packs.of(s.cur)
	if i, packed := findPack(packs, s.fetch[0].Slot); packed {
		return l.readPacks(ctx, conn, s, packs[i:min(i+packWindow, len(packs))])
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, seq := range s.fetch {
		if _, packed := findPack(packs, seq.Slot); packed {
			break // read in its turn
		}
		group.Go(func() error {
			e, err := l.on(conn).slot(groupCtx, s.cur, seq)
			if err == nil {
				l.put(s, e)
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
func (l *Log) readPacks(ctx context.Context, conn Conn, s step, refs []packRef) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, ref := range refs {
		group.Go(func() error {
			entries, err := l.on(conn).pack(ctx, s.cur, ref)
			if errors.Is(err, zk.ErrNoNode) {
				return fmt.Errorf("%w: %w", errMissing, err)
			}
			l.put(s, entries...)
			return err
		})
	}
	return group.Wait()
}

// knownPacks is the packs of the segment that is being read; see read.
type knownPacks struct {
	segment segmentRef
	refs    []packRef
}

func (k *knownPacks) of(segment segmentRef) []packRef {
	if k.segment != segment {
		return nil
	}
	return k.refs
}

func (l *Log) learnPacks(ctx context.Context, conn Conn, segment segmentRef) error {
	refs, err := l.on(conn).packs(ctx, segment.name)
	if err != nil {
		return err
	}
	l.packs = knownPacks{segment, refs}
	return nil
}

// missing finds out why a slot is not where it was expected: it was packed
// meanwhile, which the next fetch takes from there, or removed behind a
// checkpoint, or it is lost. Missing counts only after a barrier: the server
// may have been behind.
func (l *Log) missing(ctx context.Context, conn Conn, s step) error {
	if err := l.on(conn).barrier(ctx); err != nil {
		return err
	}
	if err := l.learnPacks(ctx, conn, s.cur); err != nil {
		return err
	}
	for _, seq := range s.fetch {
		if _, packed := findPack(l.packs.refs, seq.Slot); packed {
			return nil
		}
	}
	if err := l.on(conn).trimmed(ctx, s.cur.number); err != nil {
		return err
	}
	for _, seq := range s.fetch {
		if _, err := l.on(conn).slot(ctx, s.cur, seq); errors.Is(err, errMissing) {
			return fmt.Errorf("%w: slot %s is missing; restore it from a backup of ZooKeeper",
				ErrCorrupt, l.layout.slot(s.cur.name, seq.Slot))
		} else if err != nil {
			return err
		}
	}
	return nil // the server has caught up
}

// count learns how many slots a sealed segment has. The barrier makes sure
// that the server shows the segment as it was when it was sealed, or later:
// no slot can have been added since.
func (l *Log) count(ctx context.Context, conn Conn, segment segmentRef) error {
	opCtx, cancel := l.opContext(ctx)
	defer cancel()
	if err := l.on(conn).barrier(opCtx); err != nil {
		return err
	}
	path := l.layout.segment(segment.name)
	_, stat, err := conn.Get(opCtx, path)
	if errors.Is(err, zk.ErrNoNode) {
		if err := l.on(conn).trimmed(opCtx, segment.number); err != nil {
			return err
		}
	}
	if err != nil {
		return l.lostIfMissing(err, path)
	}
	l.tail.counted(segment, int64(stat.Version))
	return nil
}

// advance moves delivery on to the next segment.
func (l *Log) advance(ctx context.Context, conn Conn, s step) error {
	record, _, err := l.on(conn).checkpoints(ctx)
	switch {
	case err == nil:
		l.noteCheckpoints(record) // others' checkpoints; only sizes depend on it
	case !Definite(err) && !final(err):
		return err // what comes next counts once the log is recognised again
	}
	next := s.open
	if next.number != s.cur.number+1 {
		opCtx, cancel := l.opContext(ctx)
		defer cancel()
		if next, err = l.on(conn).segmentAfter(opCtx, s.cur.number); err != nil {
			return err
		}
	}
	l.tail.advance(s.cur, next)
	return nil
}
