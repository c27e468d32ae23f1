package revision

import (
	"cmp"
	"fmt"
)

// Rev is an etcd revision: the empty store is at 1, each request that changes
// keys adds one. Not every place in the log makes a revision (a lease grant
// does not), so Rev and Seq are types of their own.
type Rev int64

// MaxRev is the highest revision that a store may have. It keeps sums of a few
// revisions clear of the overflow.
const MaxRev Rev = 1 << 60

// Seq is a place in the log: a slot within a segment. The zero Seq lies before
// the first slot.
type Seq struct {
	// Segment counts from 1, so that the zero Seq is no slot's.
	Segment int64
	// Slot counts from 0 within the segment; it is the number of the
	// sequential znode.
	Slot int64
}

// Compare orders places as the log does.
func (s Seq) Compare(other Seq) int {
	if c := cmp.Compare(s.Segment, other.Segment); c != 0 {
		return c
	}
	return cmp.Compare(s.Slot, other.Slot)
}

// Before says whether s comes before other in the log.
func (s Seq) Before(other Seq) bool { return s.Compare(other) < 0 }

// Index folds a Seq into one growing number, for etcd's raft_index: the
// segment in the upper 32 bits, the slot plus one in the lower.
func (s Seq) Index() uint64 {
	if s.Segment == 0 {
		return 0
	}
	return uint64(s.Segment)<<32 | uint64(s.Slot+1)
}

// String prints segment/slot, as in the znode's path.
func (s Seq) String() string { return fmt.Sprintf("%d/%d", s.Segment, s.Slot) }
