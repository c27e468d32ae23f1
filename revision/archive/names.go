package archive

import (
	"fmt"
	"strings"
	"time"

	"github.com/zkine/zkine/revision"
)

// The names of objects:
//
//	zkine-archive                                         says whose this is
//	<place>/slots/<segment>-<first>-<last>-<after>-<time> slots of a segment
//	<place>/checkpoints/<segment>-<revision>-<time>/<n>   chunk n of a checkpoint; 0 is its meta
//	<place>/checkpoints/<segment>-<revision>-<time>/manifest  its end: it counts from here on
//
// After is the place, segment and slot, of the slot before the first one: what lacks
// in between is found by the names. Numbers have leading zeros, so that they list in order. A time is in milliseconds
// since 1970: the latest at which the slots, or those that the checkpoint covers, say
// that they were written; 0 if none does.
//
// A place is a cluster id; and behind a dash the number of the decision after which its
// log began, where the log of that cluster went back and that was accepted.
const markerName = "zkine-archive"

// placeID is whose log it is.
type placeID struct {
	cluster  uint64
	accepted int64
}

func (p placeID) String() string {
	if p.accepted == 0 {
		return fmt.Sprintf("%016x", p.cluster)
	}
	return fmt.Sprintf("%016x-%d", p.cluster, p.accepted)
}

func parsePlace(name string) (p placeID, ok bool) {
	if n, _ := fmt.Sscanf(name, "%016x-%d", &p.cluster, &p.accepted); n == 0 {
		return p, false
	}
	return p, p.String() == name && p.accepted >= 0
}

// run is slots that follow each other in a segment, in one object.
type run struct {
	segment, first, last int64
	// after is the place of the slot before the first one: {} if there never was one,
	// with the slot endOfSegment if only the segment is known, up to which all are in a
	// checkpoint.
	after   revision.Seq
	written int64 // milliseconds since 1970
}

// endOfSegment stands for the last slot of a segment of which not more is known. It is
// beyond any slot.
const endOfSegment = 9_999_999_999

func (r run) name(p placeID) string {
	return fmt.Sprintf("%v/slots/%010d-%010d-%010d-%010d-%010d-%013d", p, r.segment, r.first, r.last, r.after.Segment, r.after.Slot, r.written)
}

func parseRun(p placeID, name string) (r run, ok bool) {
	_, err := fmt.Sscanf(strings.TrimPrefix(name, p.String()+"/slots/"), "%d-%d-%d-%d-%d-%d",
		&r.segment, &r.first, &r.last, &r.after.Segment, &r.after.Slot, &r.written)
	return r, err == nil && r.name(p) == name && r.segment > 0 && min(r.first, r.after.Segment, r.after.Slot, r.written) >= 0 &&
		r.last >= r.first && r.last-r.first < maxRunSlots
}

// follows says whether the run has the slot after a place: that of a slot, or the end of
// a segment.
func (r run) follows(at revision.Seq) bool {
	switch {
	case at.Slot == endOfSegment:
		return r.first == 0 && r.segment > at.Segment && r.after.Segment <= at.Segment
	case r.segment == at.Segment:
		return r.first <= at.Slot+1 && r.last > at.Slot
	default:
		return r.first == 0 && r.after == at
	}
}

// end is the place of its last slot.
func (r run) end() revision.Seq { return revision.Seq{Segment: r.segment, Slot: r.last} }

func (r run) label(p placeID) label {
	return label{kind: kindSlots, place: p, segment: r.segment, first: r.first, count: r.last - r.first + 1}
}

// CheckpointRef is a checkpoint in an archive.
type CheckpointRef struct {
	// Segment is the last one that it covers, all of it.
	Segment  int64
	Revision revision.Rev
	// written is the time of the last slot before it, in milliseconds since 1970.
	written int64
}

// Time is when the last slot that the checkpoint covers was written; zero if that is
// not known.
func (c CheckpointRef) Time() time.Time { return timeOf(c.written) }

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (c CheckpointRef) folder(p placeID) string {
	return fmt.Sprintf("%v/checkpoints/%010d-%013d-%013d", p, c.Segment, c.Revision, c.written)
}

func (c CheckpointRef) chunkName(p placeID, number int64) string {
	return fmt.Sprintf("%s/%06d", c.folder(p), number)
}

func (c CheckpointRef) manifestName(p placeID) string { return c.folder(p) + "/manifest" }

func (c CheckpointRef) label(p placeID, k kind, number int64) label {
	return label{kind: k, place: p, segment: c.Segment, first: number, count: 1}
}

// parseCheckpoint reads a name below <place>/checkpoints/; rest is what it is of it.
func parseCheckpoint(p placeID, name string) (c CheckpointRef, rest string, ok bool) {
	folder, rest, _ := strings.Cut(strings.TrimPrefix(name, p.String()+"/checkpoints/"), "/")
	_, err := fmt.Sscanf(folder, "%d-%d-%d", &c.Segment, &c.Revision, &c.written)
	return c, rest, err == nil && c.folder(p)+"/"+rest == name && c.Segment > 0 && c.Revision > 0 && c.written >= 0
}
