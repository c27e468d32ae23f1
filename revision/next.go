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
		if err := l.unusable(conn, err); !errors.Is(err, errAgain) {
			return err
		}
	}
	return nil
}

// fetch reads slots that are known to exist.
func (l *Log) fetch(ctx context.Context, conn Conn, s step) error {
	opCtx, cancel := l.opContext(ctx)
	defer cancel()
	group, groupCtx := errgroup.WithContext(opCtx)
	for _, seq := range s.fetch {
		group.Go(func() error {
			e, err := l.readSlot(groupCtx, conn, s.cur, seq)
			if err != nil {
				return err
			}
			l.tail.put(e)
			return nil
		})
	}
	return group.Wait()
}

// readSlot reads a slot that is known to exist. Bytes that cannot be trusted
// are read once more, from another server, before they stop this zkine.
func (l *Log) readSlot(ctx context.Context, conn Conn, segment segmentRef, seq Seq) (*entry, error) {
	e, err := l.tryReadSlot(ctx, conn, segment, seq)
	if !errors.Is(err, ErrCorrupt) {
		return e, err
	}
	l.cfg.Log.WithError(err).Error("a slot cannot be trusted; reading it once more on another connection")
	other, dialErr := l.cfg.Dialer.Dial(ctx)
	if dialErr != nil {
		return nil, dialErr // not final: all starts again on a new connection
	}
	defer other.Close()
	if err := barrier(ctx, other, l.layout); err != nil {
		return nil, err
	}
	return l.tryReadSlot(ctx, other, segment, seq)
}

func (l *Log) tryReadSlot(ctx context.Context, conn Conn, segment segmentRef, seq Seq) (*entry, error) {
	path := l.layout.slot(segment.name, seq.Slot)
	data, stat, err := conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		// Missing counts only after a barrier: this server may have been behind.
		if err := barrier(ctx, conn, l.layout); err != nil {
			return nil, err
		}
		if data, stat, err = conn.Get(ctx, path); errors.Is(err, zk.ErrNoNode) {
			return nil, fmt.Errorf("%w: slot %s is missing; restore it from a backup of ZooKeeper", ErrCorrupt, path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	l.noteZxid(stat.Czxid)
	e, err := l.decodeSlot(ctx, conn, segment, seq, data)
	if err != nil {
		return nil, fmt.Errorf("slot %s: %w", path, err)
	}
	return e, nil
}

func (l *Log) decodeSlot(ctx context.Context, conn Conn, segment segmentRef, seq Seq, data []byte) (*entry, error) {
	env, err := openEnvelope(data)
	if err != nil {
		return nil, err
	}
	size := len(data)
	if env.staged() {
		if err := l.readParts(ctx, conn, segment, env); err != nil {
			return nil, err
		}
		size += len(env.payload)
	}
	requests, err := env.requests()
	if err != nil {
		return nil, err
	}
	return &entry{segment: segment, size: size,
		slot: Slot{Seq: seq, Nonce: env.nonce, Term: env.term, Requests: requests}}, nil
}

// count learns how many slots a sealed segment has. The barrier makes sure
// that the server shows the segment as it was when it was sealed, or later:
// no slot can have been added since.
func (l *Log) count(ctx context.Context, conn Conn, segment segmentRef) error {
	opCtx, cancel := l.opContext(ctx)
	defer cancel()
	if err := barrier(opCtx, conn, l.layout); err != nil {
		return err
	}
	path := l.layout.segment(segment.name)
	_, stat, err := conn.Get(opCtx, path)
	if err != nil {
		return l.lostIfMissing(err, path)
	}
	l.tail.counted(segment, int64(stat.Version))
	return nil
}

// advance moves delivery on to the next segment.
func (l *Log) advance(ctx context.Context, conn Conn, s step) error {
	next := s.open
	if next.number != s.cur.number+1 {
		opCtx, cancel := l.opContext(ctx)
		defer cancel()
		var err error
		if next, err = l.segmentAfter(opCtx, conn, s.cur.number); err != nil {
			return err
		}
	}
	l.tail.advance(s.cur, next)
	return nil
}
