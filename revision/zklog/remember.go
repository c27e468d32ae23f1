package zklog

import (
	"context"
	"fmt"
	"time"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

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
	return l.recogniseLast(ctx, conn, zkroot.StoredSlot{Segment: ref, Slot: revision.Slot{Seq: revision.Seq{Segment: ref.Number, Slot: s.Slot}, Nonce: s.Nonce}})
}
