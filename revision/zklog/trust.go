package zklog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// mayServe returns ErrHalted if the root is halted, and else notes which
// decision is the latest. The connection must have been shown to recognise the
// log.
func (l *Log) mayServe(ctx context.Context, conn zkclient.Conn) error {
	r, _, err := l.on(conn).Trust(ctx)
	if err != nil {
		return err
	}
	if h := r.Halt; h != nil {
		return fmt.Errorf("%w: %s on %s, which had served revision %d, found at %s: %s; see docs/operations.md, \"The log went back\"",
			revision.ErrHalted, h.By, h.Host, h.Revision, h.At.UTC().Format(time.RFC3339), h.Found)
	}
	if l.standing.sure(r.Number()) {
		l.noteAccepted(r.Number())
	}
	return nil
}

func (l *Log) noteAccepted(number int64) {
	for {
		known := l.accepted.Load()
		if number <= known || l.accepted.CompareAndSwap(known, number) {
			return
		}
	}
}

// unlessAccepted adds to the finding that the log went back that a person has
// decided since: then it is not to be halted for that again.
func (l *Log) unlessAccepted(ctx context.Context, conn zkclient.Conn, lost error) error {
	if id, err := l.on(conn).Format(ctx); err != nil || id != l.clusterID {
		return lost
	}
	r, _, err := l.on(conn).Trust(ctx)
	if err != nil || r.Halt != nil || r.Number() <= l.accepted.Load() {
		return lost
	}
	return fmt.Errorf("%w: %w; start again to serve it", revision.ErrAccepted, lost)
}

// haltTimeout bounds the attempt to leave a halt.
const haltTimeout = 5 * time.Second

// haltRetry is the pause after an attempt that has failed.
const haltRetry = 50 * time.Millisecond

// haltOthers waits until the log has failed, and leaves a halt in the root if it
// went back.
func (l *Log) haltOthers() {
	<-l.session.Failed()
	why := l.session.Failure()
	if !errors.Is(why, revision.ErrLogLost) || errors.Is(why, revision.ErrAccepted) {
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), haltTimeout, errors.New("it took too long"))
	defer cancel()
	left, err := l.leaveHalt(ctx, why)
	switch {
	case err != nil:
		l.cfg.Log.WithError(err).Errorf("%s could not be written: other zkines, and those that start without what this one remembers, may serve what the root holds now; stop them until a person has decided", l.layout.Trust())
	case left:
		l.cfg.Log.Errorf("the root is halted by %s: no zkine serves it until a person decides, with zkine log accept", l.layout.Trust())
	}
}

// leaveHalt tries on new connections until it is done or ctx ends. left is false
// if nothing was to be written: the root is gone, or another cluster's, or a
// person has decided before.
func (l *Log) leaveHalt(ctx context.Context, why error) (left bool, err error) {
	for {
		left, err = l.leaveHaltOnce(ctx, why)
		if err == nil || revision.Fatal(err) || ctx.Err() != nil {
			return left, err
		}
		select {
		case <-time.After(haltRetry):
		case <-ctx.Done():
			return false, err
		}
	}
}

func (l *Log) leaveHaltOnce(ctx context.Context, why error) (left bool, err error) {
	conn, err := l.cfg.Dialer.Dial(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	err = l.on(conn).Barrier(ctx)
	if err == nil {
		var id uint64
		if id, err = l.on(conn).Format(ctx); err == nil && id != l.clusterID {
			return false, nil
		}
	}
	if errors.Is(err, zk.ErrNoNode) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, version, err := l.on(conn).Trust(ctx)
	switch {
	case err != nil:
		return false, err
	case r.Halt != nil:
		return true, nil
	case r.Number() > l.accepted.Load():
		return false, nil
	}
	r.Halt = l.newHalt(why)
	return true, zkroot.WriteTrust(ctx, conn, l.layout, r, version)
}

func (l *Log) newHalt(why error) *zkroot.Halt {
	served := l.Served()
	found, _, _ := strings.Cut(strings.TrimPrefix(why.Error(), revision.ErrLogLost.Error()+": "), "; ")
	host, _ := os.Hostname()
	return &zkroot.Halt{By: l.cfg.Name, Host: host, At: time.Now().UTC(), Revision: served.Revision,
		Segment: served.Segment, Slot: served.Slot, Accepted: served.Accepted, Found: found[:min(len(found), zkroot.MaxFound)]}
}

// Served is what to remember by now.
func (l *Log) Served() zkroot.Served {
	s := zkroot.Served{Root: l.cfg.Root, ClusterID: zkroot.ClusterID(l.clusterID), Accepted: l.accepted.Load(), At: time.Now().UTC()}
	last := l.tail.lastDelivered()
	s.Revision = l.served()
	if last.Slot.Seq != (revision.Seq{}) {
		s.Segment, s.Slot, s.Nonce = last.Segment.Name, last.Slot.Seq.Slot, last.Slot.Nonce
	} else if r := l.remembered.Load(); r != nil {
		// Nothing was delivered after the checkpoint that this began with.
		s.Segment, s.Slot, s.Nonce, s.Revision = r.Segment, r.Slot, r.Nonce, max(r.Revision, s.Revision)
	}
	l.remembered.Store(&s)
	return s
}

// served is the revision that the state has reached, as far as the log is told:
// it is not of a state that a checkpoint held.
func (l *Log) served() revision.Rev {
	rev := revision.Rev(l.applied.Load())
	if record := l.checkpoints.known.Load(); rev == 0 && record != nil && record.Latest != nil {
		return record.Latest.Revision
	}
	return max(rev, 1) // that of an empty store
}

// wanted is which root the log is to be.
func (c *Config) wanted() zkroot.Wanted {
	return zkroot.Wanted{Root: c.Root, ClusterID: c.ClusterID, Served: c.Served, NewCluster: c.NewCluster}
}

// Found is what Open found.
type Found struct {
	// Made says that there was nothing, and that the root was made.
	Made bool
	// Written is when the log was written to last, by ZooKeeper's clock.
	Written time.Time
}

// Found says what Open found.
func (l *Log) Found() Found { return l.found }

// recogniseServed shows that the log holds what is remembered of it, unless a
// person has decided since that it need not.
func (l *Log) recogniseServed(ctx context.Context, conn zkclient.Conn, open zkroot.SegmentRef) error {
	s := l.cfg.Served
	if s == nil || uint64(s.ClusterID) != l.clusterID {
		return nil
	}
	r, _, err := l.on(conn).Trust(ctx)
	if err != nil || r.Halt != nil {
		return err // mayServe says it
	}
	if r.Number() > s.Accepted {
		l.cfg.Log.Infof("what this zkine remembers does not count any more: at %s %s accepted what %s holds",
			r.Accepted.At.UTC().Format(time.RFC3339), r.Accepted.By, l.cfg.Root)
		return nil
	}
	l.remembered.Store(s) // for the halt, too
	l.noteAccepted(s.Accepted)
	if s.Segment == "" {
		return nil
	}
	ref, err := zkroot.ParseSegmentRef(s.Segment)
	if err != nil {
		return err
	}
	if open.Number < ref.Number || open.Number == ref.Number && open.Name != ref.Name {
		return fmt.Errorf("%w: the open segment is %s, and this zkine has served %s, revision %d; see docs/operations.md, \"The log went back\"",
			revision.ErrLogLost, open.Name, l.layout.Slot(ref.Name, s.Slot), s.Revision)
	}
	return unlessTrimmed(l.recogniseLast(ctx, conn, zkroot.StoredSlot{Segment: ref, Slot: revision.Slot{Seq: revision.Seq{Segment: ref.Number, Slot: s.Slot}, Nonce: s.Nonce}}))
}

// Verify reads everything under cfg.Root on a session of its own, and judges it;
// see Reader.Verify.
func Verify(ctx context.Context, cfg Config) (*zkroot.Verified, error) {
	return inspect(ctx, cfg, func(r zkroot.Reader, w zkroot.Wanted) (*zkroot.Verified, error) { return r.Verify(ctx, w) })
}

// Look reads what cfg.Root holds on a session of its own; see Reader.Look.
func Look(ctx context.Context, cfg Config) (*zkroot.Holding, error) {
	return inspect(ctx, cfg, func(r zkroot.Reader, w zkroot.Wanted) (*zkroot.Holding, error) { return r.Look(ctx, w) })
}

// Accept records a decision to serve what cfg.Root holds on a session of its own; see
// Reader.Accept.
func Accept(ctx context.Context, cfg Config, d zkroot.Decision) (*zkroot.Holding, error) {
	if d.Random == nil {
		d.Random = rand.Reader
	}
	return inspect(ctx, cfg, func(r zkroot.Reader, w zkroot.Wanted) (*zkroot.Holding, error) { return r.Accept(ctx, w, d) })
}

func inspect[T any](ctx context.Context, cfg Config, f func(zkroot.Reader, zkroot.Wanted) (T, error)) (out T, err error) {
	if err := zkroot.CheckRoot(cfg.Root); err != nil {
		return out, err
	}
	conn, err := cfg.Dialer.Dial(ctx)
	if err != nil {
		return out, err
	}
	defer conn.Close()
	// What is remembered of an earlier run says nothing about what is there.
	return f(zkroot.NewReader(conn, zkroot.Layout{Root: cfg.Root}), zkroot.Wanted{Root: cfg.Root, ClusterID: cfg.ClusterID})
}
