package revision

import (
	"context"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	// pollInterval backs the watches, which the client library can lose.
	pollInterval = time.Second
	// quietTime is how long one's own appends must have been over before a
	// watch is armed again: while they go on, foreign slots show as gaps in
	// one's own numbers, and each append would fire the watch.
	quietTime = 5 * time.Millisecond
)

// follow learns of foreign slots and rotations, until the log is closed.
func (l *Log) follow() {
	for {
		conn, err := l.session.get(l.ctx)
		if err != nil {
			return
		}
		l.followOn(conn)
		select {
		case <-conn.Done():
		case <-l.ctx.Done():
			return
		}
	}
}

// followOn follows on one connection, until that ends. Watches are armed again
// only once they have fired, since the client keeps a channel for each.
func (l *Log) followOn(conn Conn) {
	var log, segment <-chan zk.Event
	var watched segmentRef
	var armedAt int64 // slots of watched when its watch was armed
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		if log == nil {
			log = l.watchLog(conn)
		}
		if open, _ := l.tail.head(); segment == nil || watched != open {
			watched = open
			segment, armedAt = l.watchSegment(conn, open)
		}
		// A rotation goes first: what select would take of two is up to chance,
		// and simulations are to repeat.
		select {
		case <-log:
			log = nil
			continue
		default:
		}
		select {
		case <-log:
			log = nil
		case e := <-segment:
			segment = nil
			if e.Type == zk.EventNodeDataChanged {
				// At least one slot more, which Next can read at once.
				l.tail.observe(watched.number, armedAt+1)
				l.quiet(conn)
			}
		case <-poll.C:
			l.poll(conn)
		case <-conn.Done():
			return
		case <-l.ctx.Done():
			return
		}
	}
}

// watchLog reads the open segment's name and watches for its change. A nil
// channel means that the connection is ending.
func (l *Log) watchLog(conn Conn) <-chan zk.Event {
	ctx, cancel := l.opContext(l.ctx)
	defer cancel()
	watched, err := conn.GetW(ctx, l.layout.log())
	if err == nil {
		var open segmentRef
		if open, err = parseOpen(l.layout, watched.Data, watched.Stat); err == nil {
			l.tail.observeOpen(open)
		}
	}
	if err != nil {
		l.failFollowing(conn, l.lostIfMissing(err, l.layout.log()))
		return nil
	}
	return watched.Event
}

// watchSegment watches for the next slot and returns how many there are.
func (l *Log) watchSegment(conn Conn, segment segmentRef) (<-chan zk.Event, int64) {
	ctx, cancel := l.opContext(l.ctx)
	defer cancel()
	watched, err := conn.GetW(ctx, l.layout.segment(segment.name))
	if err != nil {
		l.failFollowing(conn, err)
		return nil, 0
	}
	count := int64(watched.Stat.Version)
	l.tail.observe(segment.number, count)
	return watched.Event, count
}

// poll reads what the watches would have told.
func (l *Log) poll(conn Conn) {
	ctx, cancel := l.opContext(l.ctx)
	defer cancel()
	open, err := l.readOpen(ctx, conn)
	if err == nil {
		var stat *zk.Stat
		if _, stat, err = conn.Get(ctx, l.layout.segment(open.name)); err == nil {
			l.tail.observe(open.number, int64(stat.Version))
			err = l.mayServe(ctx, conn)
		}
	}
	if err == nil {
		return
	}
	l.failFollowing(conn, err)
}

// failFollowing gives the connection up; its successor's greeting judges
// whether something is missing that must not be.
func (l *Log) failFollowing(conn Conn, err error) {
	if l.ctx.Err() == nil {
		l.unusable(l.ctx, conn, err) //nolint:errcheck // the session holds it
	}
}

// quiet waits until one's own appends pause, at most a poll interval.
func (l *Log) quiet(conn Conn) {
	deadline := time.Now().Add(pollInterval)
	for {
		wait := l.tail.busy(quietTime)
		if wait <= 0 || time.Now().After(deadline) {
			return
		}
		if !sleep(l.ctx, conn, wait) {
			return
		}
	}
}

// sleep returns false if the log or the connection ended first.
func sleep(ctx context.Context, conn Conn, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-conn.Done():
		return false
	case <-ctx.Done():
		return false
	}
}
