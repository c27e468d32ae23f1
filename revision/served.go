package revision

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Served is what a zkine knows of the log that it serves, and remembers across a
// restart: enough to recognise it by.
type Served struct {
	Root      string    `json:"root"`
	ClusterID ClusterID `json:"cluster_id"`
	// Accepted is the number of the latest decision that it knew; see trust.go.
	Accepted int64 `json:"accepted,omitempty"`
	// Revision is the last one applied, at about the slot below.
	Revision Rev `json:"revision"`
	// Segment and Slot are the place of a slot that was seen, and Nonce what it
	// held; Segment is "" if none was.
	Segment string    `json:"segment,omitempty"`
	Slot    int64     `json:"slot"`
	Nonce   Nonce     `json:"nonce"`
	At      time.Time `json:"at"`
}

// ClusterID is a root's; people see it in hexadecimal.
type ClusterID uint64

func (c ClusterID) String() string { return strconv.FormatUint(uint64(c), 16) }

// MarshalText makes JSON show an id as String does.
func (c ClusterID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *ClusterID) UnmarshalText(text []byte) error {
	id, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || id == 0 {
		return fmt.Errorf("revision: %q is not a cluster id", text)
	}
	*c = ClusterID(id)
	return nil
}

// Check says whether a memory can have been written by a zkine.
func (s Served) Check() error {
	if s.ClusterID == 0 || s.Revision < 0 || s.Slot < 0 {
		return errors.New("no cluster id, or a negative number")
	}
	if s.Segment != "" {
		_, err := parseSegmentRef(s.Segment)
		return err
	}
	return nil
}

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
	if record := l.checkpoints.Load(); rev == 0 && record != nil && record.Latest != nil {
		return record.Latest.Revision
	}
	return max(rev, 1) // that of an empty store
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

// mayServeCluster says whether a cluster may be served, by what was asked for
// and what is remembered. 0 is a root that would have to be made.
func (c *Config) mayServeCluster(id uint64) error {
	asked, served := ClusterID(c.ClusterID), c.Served
	switch {
	case asked != 0 && id == 0:
		return fmt.Errorf("%w: there is no zkine data under %s, and --cluster-id asks for cluster %v; check --zookeeper and --zookeeper-root",
			ErrWrongCluster, c.Root, asked)
	case asked != 0 && id != c.ClusterID:
		return fmt.Errorf("%w: %s holds cluster %v, and --cluster-id asks for %v; check --zookeeper and --zookeeper-root",
			ErrWrongCluster, c.Root, ClusterID(id), asked)
	case asked != 0 || served == nil || c.NewCluster || uint64(served.ClusterID) == id:
		return nil
	}
	was := fmt.Sprintf("this zkine has served cluster %v there, up to revision %d at %s", served.ClusterID, served.Revision, served.At.UTC().Format(time.RFC3339))
	if id == 0 {
		return fmt.Errorf("%w: there is no zkine data under %s, but %s; check --zookeeper and --zookeeper-root, or start once with --new-cluster to begin with nothing",
			ErrWrongCluster, c.Root, was)
	}
	return fmt.Errorf("%w: %s holds cluster %v, but %s; check --zookeeper and --zookeeper-root, or name what is meant with --cluster-id=%v",
		ErrWrongCluster, c.Root, ClusterID(id), was, ClusterID(id))
}

// recogniseServed shows that the log holds what is remembered of it, unless a
// person has decided since that it need not.
func (l *Log) recogniseServed(ctx context.Context, conn Conn, open segmentRef) error {
	s := l.cfg.Served
	if s == nil || uint64(s.ClusterID) != l.clusterID {
		return nil
	}
	r, _, err := readTrust(ctx, conn, l.layout)
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
