package archive

import (
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// continues sees to it that what follows on the last place in the archive is in the root:
// if it is not, or if nothing was archived yet, the archive goes on from a checkpoint of
// the root's.
func (r *round) continues(segments []zkroot.SegmentRef, open zkroot.SegmentRef, record zkroot.CheckpointRecord) error {
	first := segments[0].Number
	if r.at.Segment >= first {
		return nil
	}
	if r.at.Slot == endOfSegment && r.at.Segment+1 >= first {
		return nil
	}
	base := record.Previous
	if base == nil {
		base = record.Latest
	}
	if r.at == (revision.Seq{}) && first == 1 {
		fromTheFirst, err := r.fromTheFirst(segments[0], base)
		if fromTheFirst || err != nil {
			return err
		}
	}
	if base == nil || base.Segment+1 < first || base.Segment > open.Number {
		// A keeper is at work, or a segment is lost.
		return fmt.Errorf("%w: no checkpoint comes before segment %d", zkroot.ErrMissing, first)
	}
	if err := r.archiveCheckpoint(base); err != nil {
		return err
	}
	if r.at != (revision.Seq{}) {
		r.report.Hole = fmt.Errorf("%w: %s had trimmed its log behind %v before that was archived; the archive goes on from revision %d on",
			ErrHole, r.cfg.Root, r.at, base.Revision)
	}
	r.at, r.nonce, r.segment = revision.Seq{Segment: base.Segment, Slot: endOfSegment}, revision.Nonce{}, ""
	return nil
}

// fromTheFirst says whether the state is what the slots from the first segment on make. A
// root that began with a checkpoint, as after an import or a restore, has an empty first
// segment, which that covers.
func (r *round) fromTheFirst(first zkroot.SegmentRef, base *zkroot.CheckpointRef) (bool, error) {
	if base == nil {
		return true, nil
	}
	if r.again {
		return false, nil // the first slots may be gone, and their segment is the last to go
	}
	stat, err := r.conn.Exists(r.ctx, r.layout.Segment(first.Name))
	return err == nil && stat.Version > 0, err
}

// archiveLog archives the slots after the last place in the archive.
func (r *round) archiveLog(segments []zkroot.SegmentRef) error {
	for _, s := range segments {
		if s.Number < r.at.Segment || s.Number == r.at.Segment && r.at.Slot == endOfSegment {
			continue
		}
		stat, err := r.conn.Exists(r.ctx, r.layout.Segment(s.Name))
		if err != nil {
			return err
		}
		if err := r.archiveSegment(s, int64(stat.Version)); err != nil {
			return err
		}
	}
	return nil
}

// archiveSegment archives the slots of a segment up to one, which is not among them.
func (r *round) archiveSegment(s zkroot.SegmentRef, end int64) error {
	next := int64(0)
	if s.Number == r.at.Segment {
		next = r.at.Slot + 1
	}
	for next < end {
		one := run{segment: s.Number, first: next, after: r.at}
		var slots []zkroot.InlineSlot
		for bytes := 0; next < end && bytes < runBytes && len(slots) < maxRunSlots/2; {
			more, err := r.reader.InlineSlots(r.ctx, s, next, end)
			if err != nil {
				return err
			}
			more = more[:min(int64(len(more)), end-next)]
			for _, slot := range more {
				bytes += len(slot.Data)
				one.written = max(one.written, slot.Written)
			}
			slots = append(slots, more...)
			next += int64(len(more))
		}
		one.last = next - 1
		if err := r.put(r.ctx, one.name(r.place.id), one.label(r.place.id).seal(encodeRun(s.Name, slots))); err != nil {
			return err
		}
		r.place.runs = append(r.place.runs, one)
		r.at, r.nonce, r.segment = one.end(), slots[len(slots)-1].Nonce, s.Name
		r.report.Slots += int64(len(slots))
	}
	return nil
}

// archiveNewest archives the newest checkpoint of the root, once.
func (r *round) archiveNewest(record zkroot.CheckpointRecord) error {
	if record.Latest == nil || r.has(record.Latest) {
		return nil
	}
	err := r.archiveCheckpoint(record.Latest)
	if errors.Is(err, zk.ErrNoNode) {
		return nil // a newer one has replaced it, which is for the next round
	}
	return err
}

func (r *round) has(ref *zkroot.CheckpointRef) bool {
	for _, c := range r.place.checkpoints {
		if c.Segment == ref.Segment && c.Revision == ref.Revision {
			return true
		}
	}
	return false
}

func (r *round) archiveCheckpoint(ref *zkroot.CheckpointRef) error {
	if r.has(ref) {
		return nil
	}
	written, err := r.timeOf(ref)
	if err != nil {
		return err
	}
	if err := r.writeCheckpoint(r.ctx, r.reader, ref, written); err != nil {
		return err
	}
	r.report.Checkpoints++
	return nil
}

// timeOf is when the last slot before a checkpoint was written: as that slot says, or as
// ZooKeeper does of the segment, or else of the checkpoint. It is rather too late than
// too early.
func (r *round) timeOf(ref *zkroot.CheckpointRef) (int64, error) {
	if end, found := r.place.lastOf(ref.Segment); found && end.written > 0 && r.at.Segment >= ref.Segment {
		return r.place.writtenUpTo(ref.Segment), nil
	}
	segments, err := r.reader.Segments(r.ctx)
	if err != nil {
		return 0, err
	}
	for _, s := range segments {
		if s.Number != ref.Segment {
			continue
		}
		if stat, err := r.conn.Exists(r.ctx, r.layout.Segment(s.Name)); err == nil {
			return max(stat.Mtime, r.place.writtenUpTo(ref.Segment)), nil
		}
	}
	stat, err := r.conn.Exists(r.ctx, r.layout.Manifest(ref.Attempt, 0))
	if err != nil {
		return 0, err
	}
	return max(stat.Ctime, r.place.writtenUpTo(ref.Segment)), nil
}
