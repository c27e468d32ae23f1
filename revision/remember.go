package revision

import (
	"context"
	"fmt"
	"time"
)

// Served is what to remember by now.
func (l *Log) Served() Served {
	s := Served{Root: l.cfg.Root, ClusterID: ClusterID(l.clusterID), Accepted: l.accepted.Load(), At: time.Now().UTC()}
	last := l.tail.lastDelivered()
	s.Revision = l.served()
	if last.slot.Seq != (Seq{}) {
		s.Segment, s.Slot, s.Nonce = last.segment.name, last.slot.Seq.Slot, last.slot.Nonce
	} else if r := l.remembered.Load(); r != nil {
		// Nothing was delivered after the checkpoint that this began with.
		s.Segment, s.Slot, s.Nonce, s.Revision = r.Segment, r.Slot, r.Nonce, max(r.Revision, s.Revision)
	}
	l.remembered.Store(&s)
	return s
}

// served is the revision that the state has reached, as far as the log is told:
// it is not of a state that a checkpoint held.
func (l *Log) served() Rev {
	rev := Rev(l.applied.Load())
	if record := l.checkpoints.known.Load(); rev == 0 && record != nil && record.Latest != nil {
		return record.Latest.Revision
	}
	return max(rev, 1) // that of an empty store
}

// wanted is which root the log is to be.
func (c *Config) wanted() Wanted {
	return Wanted{Root: c.Root, ClusterID: c.ClusterID, Served: c.Served, NewCluster: c.NewCluster}
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
func (l *Log) recogniseServed(ctx context.Context, conn Conn, open segmentRef) error {
	s := l.cfg.Served
	if s == nil || uint64(s.ClusterID) != l.clusterID {
		return nil
	}
	r, _, err := l.on(conn).trust(ctx)
	if err != nil || r.Halt != nil {
		return err // mayServe says it
	}
	if r.number() > s.Accepted {
		l.cfg.Log.Infof("what this zkine remembers does not count any more: at %s %s accepted what %s holds",
			r.Accepted.At.UTC().Format(time.RFC3339), r.Accepted.By, l.cfg.Root)
		return nil
	}
	l.remembered.Store(s) // for the halt, too
	l.noteAccepted(s.Accepted)
	if s.Segment == "" {
		return nil
	}
	ref, err := parseSegmentRef(s.Segment)
	if err != nil {
		return err
	}
	if open.number < ref.number || open.number == ref.number && open.name != ref.name {
		return fmt.Errorf("%w: the open segment is %s, and this zkine has served %s, revision %d; see docs/operations.md, \"The log went back\"",
			ErrLogLost, open.name, l.layout.slot(ref.name, s.Slot), s.Revision)
	}
	return l.recogniseLast(ctx, conn, entry{segment: ref, slot: Slot{Seq: Seq{ref.number, s.Slot}, Nonce: s.Nonce}})
}
