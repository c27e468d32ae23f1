package archive

import (
	"errors"
	"fmt"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// findEnd looks up to where the archive has the log.
func (r *round) findEnd(id placeID) error {
	err := checkMarker(r.ctx, r.cfg.Store)
	if errors.Is(err, ErrEmpty) {
		err = writeMarker(r.ctx, r.cfg.Store)
	}
	if err != nil {
		return err
	}
	place, err := listPlace(r.ctx, r.cfg.Store, id)
	if err != nil {
		return err
	}
	r.at, r.nonce, r.segment = revision.Seq{}, revision.Nonce{}, ""
	if last, found := place.newestRun(); found {
		slots, err := place.readRun(r.ctx, last)
		if err != nil {
			return err
		}
		end := slots[len(slots)-1]
		r.at, r.nonce, r.segment = end.Slot.Seq, end.Slot.Nonce, end.Segment.Name
	}
	r.place = place
	return r.recognise()
}

// recognise finds out whether the root's log is the one of which the archive has a part.
func (r *round) recognise() error {
	if r.segment == "" {
		return nil
	}
	segments, open, err := r.segments()
	if err != nil {
		return err
	}
	diverged := func(what string) error {
		r.place = nil
		return fmt.Errorf("%w: %v has its slots up to %v, and %s %s; see docs/recovery.md, \"An archive that does not fit\"",
			ErrDiverged, r.cfg.Store, r.at, r.cfg.Root, what)
	}
	for _, s := range segments {
		if s.Number != r.at.Segment {
			continue
		}
		if s.Name != r.segment {
			return diverged("has another segment of that number")
		}
		stat, err := r.conn.Exists(r.ctx, r.layout.Segment(s.Name))
		if err != nil {
			return err
		}
		if int64(stat.Version) <= r.at.Slot {
			return diverged(fmt.Sprintf("has %d slots there", stat.Version))
		}
		slots, err := r.reader.InlineSlots(r.ctx, s, r.at.Slot, r.at.Slot+1)
		if err != nil {
			return err
		}
		if slots[0].Nonce != r.nonce {
			return diverged("has another slot at that place")
		}
		return nil
	}
	if open.Number < r.at.Segment {
		return diverged(fmt.Sprintf("ends with segment %d", open.Number))
	}
	return nil // it was trimmed since
}

// segments lists the root's segments, the open one last.
func (r *round) segments() (all []zkroot.SegmentRef, open zkroot.SegmentRef, err error) {
	if open, err = r.reader.Open(r.ctx); err != nil {
		return nil, open, err
	}
	if all, err = r.reader.Segments(r.ctx); err != nil {
		return nil, open, err
	}
	for i, s := range all {
		if s.Number == open.Number {
			return all[:i+1], open, nil
		}
	}
	return nil, open, fmt.Errorf("%w: segment %d", zkroot.ErrMissing, open.Number)
}
