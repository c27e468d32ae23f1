package zklog

import (
	"context"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

const (
	// pollInterval backs the watches, which the client library can lose.
	pollInterval = time.Second
	// quietTime is how long one's own appends must have been over before a
	// watch is armed again: while they go on, foreign slots show as gaps in
	// one's own numbers, and each append would fire the watch.
	quietTime = 5 * time.Millisecond
	// quietAlone is quietTime while no other zkine is listed as a member, and
	// quietOwn while all of the last ownRun slots were one's own: an event of one's
	// own append tells nothing, and costs a read. Another's slot shows no later than
	// with one's own next append.
	quietAlone = 250 * time.Millisecond
	quietOwn   = 20 * time.Millisecond
	ownRun     = 32
)

// follower learns of foreign slots and rotations.
type follower struct {
	*link
	// mayServe looks whether the root may still be served.
	mayServe func(context.Context, zkclient.Conn) error
	// carried says that the segment's record had its newest slot in it when it was
	// read last: then what arms the watch again is likely to read the next one.
	carried bool
}

// run ends when the log is closed.
func (f *follower) run() {
	for {
		conn, err := f.session.Get(f.ctx)
		if err != nil {
			return
		}
		f.followOn(conn)
		select {
		case <-conn.Done():
		case <-f.ctx.Done():
			return
		}
	}
}

// followOn follows on one connection, until that ends. Watches are armed again
// only once they have fired, since the client keeps a channel for each, or once a
// poll has seen that they should have: ZooKeeper uses a watch up without an event
// if its owner may not read the znode at that moment, as while ACLs are changed.
func (f *follower) followOn(conn zkclient.Conn) {
	var log, segment <-chan zk.Event
	var named, watched zkroot.SegmentRef // the open segment when log was armed; the one whose watch is segment
	var armedAt int64                    // slots of watched when its watch was armed
	look := func() {
		open, count, ok := f.poll(conn)
		// An event comes before the reply that shows its change.
		if ok && open != named && len(log) == 0 {
			log = nil
		}
		if ok && open == watched && count > armedAt && len(segment) == 0 {
			segment = nil
		}
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		if log == nil {
			log, named = f.watchLog(conn)
		}
		if open, _ := f.tail.head(); segment == nil || watched != open {
			watched = open
			segment, armedAt = f.watchSegment(conn, open)
		}
		// What select would take of several is up to chance, and simulations are to
		// repeat: the end goes first, then a rotation, and the poll before a watch,
		// which may fire again and again.
		select {
		case <-conn.Done():
			return
		default:
		}
		select {
		case <-log:
			log = nil
			continue
		default:
		}
		select {
		case <-poll.C:
			look()
			continue
		default:
		}
		select {
		case <-log:
			log = nil
		case e := <-segment:
			segment = nil
			if e.Type == zk.EventNodeDataChanged {
				if !f.carried || f.tail.busy(f.quietTime()) > 0 {
					// At least one slot more, which Next can read at once.
					f.tail.observe(watched.Number, armedAt+1)
				}
				f.quiet(conn)
			}
		case <-poll.C:
			look()
		case <-conn.Done():
			return
		case <-f.ctx.Done():
			return
		}
	}
}

// watchLog reads which segment is open and watches for its change. A nil channel
// means that the connection is ending.
func (f *follower) watchLog(conn zkclient.Conn) (<-chan zk.Event, zkroot.SegmentRef) {
	ctx, cancel := f.session.Bound(f.ctx)
	defer cancel()
	var open zkroot.SegmentRef
	watched, err := conn.GetW(ctx, f.layout.Log())
	if err == nil {
		if open, err = zkroot.ParseOpen(f.layout, watched.Data, watched.Stat); err == nil {
			f.tail.observeOpen(open)
		}
	}
	if err != nil {
		f.failFollowing(conn, f.lostIfMissing(err, f.layout.Log()))
		return nil, open
	}
	return watched.Event, open
}

// watchSegment watches for the next slot and returns how many there are.
func (f *follower) watchSegment(conn zkclient.Conn, segment zkroot.SegmentRef) (<-chan zk.Event, int64) {
	ctx, cancel := f.session.Bound(f.ctx)
	defer cancel()
	generation := f.tail.generation()
	watched, err := conn.GetW(ctx, f.layout.Segment(segment.Name))
	if err != nil {
		f.failFollowing(conn, err)
		return nil, 0
	}
	count := int64(watched.Stat.Version)
	if _, known := f.tail.head(); count > known || !f.carried && f.company.Load() {
		newest := f.on(conn).Carried(ctx, segment, watched.Data, watched.Stat)
		if f.carried = newest != nil; f.carried {
			f.epoch.note(newest.Zxid)
			f.tail.putNewest(generation, newest)
		}
	}
	f.tail.observe(segment.Number, count)
	return watched.Event, count
}

// poll reads what the watches would have told: which segment is open, and how many
// slots it has.
func (f *follower) poll(conn zkclient.Conn) (open zkroot.SegmentRef, count int64, ok bool) {
	ctx, cancel := f.session.Bound(f.ctx)
	defer cancel()
	open, err := f.readOpen(ctx, conn)
	if err == nil {
		var stat *zk.Stat
		if _, stat, err = conn.Get(ctx, f.layout.Segment(open.Name)); err == nil {
			count = int64(stat.Version)
			f.tail.observe(open.Number, count)
			err = f.mayServe(ctx, conn)
		}
	}
	if err != nil {
		f.failFollowing(conn, err)
	}
	return open, count, err == nil
}

// failFollowing gives the connection up; its successor's verification judges
// whether something is missing that must not be.
func (f *follower) failFollowing(conn zkclient.Conn, err error) {
	if f.ctx.Err() == nil {
		f.unusable(f.ctx, conn, err) //nolint:errcheck // the session holds it
	}
}

// quiet waits until one's own appends pause, at most a poll interval.
func (f *follower) quiet(conn zkclient.Conn) {
	deadline := time.Now().Add(pollInterval)
	for {
		wait := f.tail.busy(f.quietTime())
		if wait <= 0 || time.Now().After(deadline) {
			return
		}
		if !zkclient.Sleep(f.ctx, conn, wait) {
			return
		}
	}
}

// quietTime is for how long one's own appends must have been over.
func (f *follower) quietTime() time.Duration {
	switch {
	case f.tail.ownRun() < ownRun:
		return quietTime
	case f.company.Load():
		return quietOwn
	default:
		return quietAlone
	}
}
