package readlease

import (
	"time"

	"github.com/zkine/zkine/revision"
)

// Duration is how long a lease lasts after a record that is effective. It is a part
// of the format: all zkines on a root have the same.
const Duration = 400 * time.Millisecond

// Drift is by what part of itself a zkine's clock may gain or lose while a lease
// runs: one in so many.
const Drift = 100

const (
	// use is how long the holder makes use of a lease, from before it sent the
	// record.
	use = Duration - Duration/Drift
	// wait is how long all others believe it valid, from when the record was
	// delivered to them.
	wait = Duration + Duration/Drift
)

// chain is the effective records of one segment, up to a place in it. Each zkine
// finds the same ones, since nothing before the segment counts.
type chain struct {
	segment int64
	// holder is that of the last effective record, at its place; 0 if there is none.
	holder uint64
	at     revision.Seq
}

// next goes on to a slot, and says whether its record is effective: if its writer
// knew all effective records of other holders.
func (c *chain) next(slot *revision.Slot) bool {
	if slot.Seq.Segment != c.segment {
		*c = chain{segment: slot.Seq.Segment}
	}
	l := slot.Lease
	if l == nil || !l.Renews || l.Seen.Segment != slot.Seq.Segment {
		return false
	}
	if c.holder != 0 && c.holder != l.Holder && l.Seen.Before(c.at) {
		return false
	}
	c.holder, c.at = l.Holder, slot.Seq
	return true
}
