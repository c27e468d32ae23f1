package zklog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// link is what the parts of a Log have in common: the session, what is known of
// the log's end, and what is made of ZooKeeper's errors. Each part is a type of
// its own that holds the link; what it knows besides is its own.
type link struct {
	cfg     Config
	layout  zkroot.Layout
	session *zkclient.Session
	tail    *tail
	request requestLimit
	epoch   epoch
	applied atomic.Int64 // the revision that the state has reached
	company atomic.Bool  // other zkines were listed as members when that was asked last

	said  throttle.Lines   // warnings that are not repeated
	pause zkclient.Backoff // between answers that make zkine try again

	// The goroutines of all parts are of the group, and end with ctx.
	ctx    context.Context
	cancel context.CancelCauseFunc
	group  zkclient.Group
}

// on reads the log's root on a connection.
func (l *link) on(conn zkroot.Nodes) zkroot.Reader { return zkroot.NewReader(conn, l.layout) }

// dialBulk opens a session for what is large and can wait, so that it never
// stands before a commit. The server may lag: a barrier comes first.
func (l *link) dialBulk(ctx context.Context) (zkclient.Conn, error) {
	dialer := l.cfg.Bulk
	if dialer == nil {
		dialer = l.cfg.Dialer
	}
	conn, err := dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.on(conn).Barrier(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// readOpen reads which segment is open, and tells the tail.
func (l *link) readOpen(ctx context.Context, conn zkroot.Nodes) (zkroot.SegmentRef, error) {
	open, err := l.on(conn).Open(ctx)
	if err == nil {
		l.tail.observeOpen(open)
	}
	return open, err
}

// errAgain says that the caller is to try again: on another connection, in
// another segment, or in smaller parts.
var errAgain = errors.New("revision: try again")

// refreshed reads the open segment again, after a check showed that it had
// changed, and returns errAgain or a final error.
func (l *link) refreshed(ctx context.Context, conn zkclient.Conn) error {
	opCtx, cancel := l.session.Bound(ctx)
	defer cancel()
	if _, err := l.readOpen(opCtx, conn); err != nil {
		return l.unusable(ctx, conn, err)
	}
	return errAgain
}

// unusable deals with an error that leaves only another try, mostly on another
// connection, or none: it returns errAgain, or the error if that is final.
func (l *link) unusable(ctx context.Context, conn zkclient.Conn, err error) error {
	if revision.Fatal(err) {
		l.session.Fail(err)
		return err
	}
	if code := zkclient.CodeOf(err); code != nil && code.Does != zkclient.Expected {
		l.answered(ctx, conn, code, err)
		return errAgain
	}
	l.session.Retire(conn)
	return errAgain
}

// answered deals with a code that may not come again: it pauses, and has a new
// session made if that is what may help.
func (l *link) answered(ctx context.Context, conn zkclient.Conn, code *zkclient.Code, err error) {
	code.Warn(l.cfg.Log, &l.said, err)
	if code.Does == zkclient.Redial {
		l.session.Retire(conn)
	}
	l.pause.Wait(ctx)
}

// lostIfMissing makes of a znode that is not there, but was, the finding that
// the log went back.
func (l *link) lostIfMissing(err error, path string) error {
	if errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("%w: %s is gone; see docs/operations.md, \"The log went back\"", revision.ErrLogLost, path)
	}
	return err
}

// epoch is the highest ZAB epoch that was seen.
type epoch struct{ seen atomic.Int64 }

// note notes the epoch of a zxid.
func (e *epoch) note(zxid int64) {
	for {
		seen, epoch := e.seen.Load(), zxid>>32
		if epoch <= seen || e.seen.CompareAndSwap(seen, epoch) {
			return
		}
	}
}

// term is what a slot carries as its writer's: ZAB's epochs start at 0 on a
// standalone server, etcd's terms at 1.
func (e *epoch) term() uint64 { return uint64(e.seen.Load()) + 1 }
