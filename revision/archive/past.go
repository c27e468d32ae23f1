package archive

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkroot"
)

// Until says up to where the log is to be read: to a time, or to a revision, or to its
// end if both are zero.
type Until struct {
	Time     time.Time
	Revision revision.Rev
}

// Past is what an archive has of a log, from a checkpoint on: as zkroot.Past is what a
// root still holds of it.
type Past struct {
	// ClusterID is that of the root whose log it is.
	ClusterID uint64
	// Checkpoint is what the log begins with; nil if it begins with the first slot
	// there ever was.
	Checkpoint *revision.Checkpoint
	// Revision and Time are those of the checkpoint: 1 and zero without one; the time is
	// zero if it is not known.
	Revision revision.Rev
	Time     time.Time
	// Slots is how many follow, up to the end or to where some are missing. Of
	// duplicates both count.
	Slots int64

	place *Place
	at    revision.Seq // after which they follow
	runs  []run
}

// Past finds the newest checkpoint that is not after what is asked for, and what follows
// on it. The slots go on beyond that: the reader has to stop, since only the state knows
// revisions, and slots say when they were written (revision.Slot.Origin). Errors:
// ErrTooEarly, ErrEmpty, ErrCorrupt; the store's.
func (p *Place) Past(ctx context.Context, until Until) (*Past, error) {
	out := &Past{ClusterID: p.id.cluster, Revision: 1, place: p}
	from, found := p.before(until)
	switch _, fromTheFirst := p.next(revision.Seq{}); {
	case found:
		var err error
		if out.Checkpoint, err = p.checkpoint(ctx, from); err != nil {
			return nil, err
		}
		out.Revision, out.Time, out.at = from.Revision, from.Time(), revision.Seq{Segment: from.Segment, Slot: endOfSegment}
	case fromTheFirst: // the log is there from its beginning
	case len(p.checkpoints) > 0:
		return nil, fmt.Errorf("%w: %v has cluster %v from revision %d on%s", ErrTooEarly, p.store, p.id, p.checkpoints[0].Revision, since(p.checkpoints[0]))
	default:
		return nil, fmt.Errorf("%w: %v has no complete checkpoint of cluster %v", ErrEmpty, p.store, p.id)
	}
	out.runs = p.chain(out.at)
	at := out.at
	for _, r := range out.runs {
		first := r.first
		if r.segment == at.Segment {
			first = at.Slot + 1
		}
		out.Slots += r.last - first + 1
		at = r.end()
	}
	return out, nil
}

func since(c CheckpointRef) string {
	if c.written == 0 {
		return ""
	}
	return ", " + c.Time().Format(time.RFC3339)
}

// before is the newest checkpoint that is not after what is asked for. One whose time is
// not known is after any time.
func (p *Place) before(until Until) (CheckpointRef, bool) {
	for _, c := range slices.Backward(p.checkpoints) {
		switch {
		case until.Revision > 0 && c.Revision > until.Revision:
		case !until.Time.IsZero() && (c.written == 0 || c.written > until.Time.UnixMilli()):
		default:
			return c, true
		}
	}
	return CheckpointRef{}, false
}

// Each yields the slots in order, each verified, duplicates included. It stops after the
// first error: ErrHole where slots are missing and there are later ones; ErrCorrupt; the
// store's.
func (p *Past) Each(ctx context.Context) iter.Seq2[*zkroot.StoredSlot, error] {
	return func(yield func(*zkroot.StoredSlot, error) bool) {
		at := p.at
		for _, r := range p.runs {
			slots, err := p.place.readRun(ctx, r)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, slot := range slots {
				if !at.Before(slot.Slot.Seq) {
					continue // the run before had it
				}
				if !yield(slot, nil) {
					return
				}
			}
			at = r.end()
		}
		if err := p.place.hole(ctx, at); err != nil {
			yield(nil, err)
		}
	}
}

// hole is an error if what follows on a place is missing, and there is something later: a
// slot, or a checkpoint that covers later ones. Else it is one of the store's, or
// ErrCorrupt.
func (p *Place) hole(ctx context.Context, at revision.Seq) error {
	if later, found := p.beyond(at); found {
		return fmt.Errorf("%w: %v has slots up to %s, and then from %d/%d on", ErrHole, p.store, placeText(at), later.segment, later.first)
	}
	if len(p.checkpoints) == 0 {
		return nil
	}
	newest := p.checkpoints[len(p.checkpoints)-1]
	covers, err := p.covers(ctx, newest, at)
	if err == nil && covers {
		err = fmt.Errorf("%w: %v has slots up to %s, and then a checkpoint of revision %d%s, which covers later ones", ErrHole, p.store, placeText(at), newest.Revision, since(newest))
	}
	return err
}

// covers says whether a checkpoint covers slots after a place.
func (p *Place) covers(ctx context.Context, c CheckpointRef, at revision.Seq) (bool, error) {
	if !at.Before(revision.Seq{Segment: c.Segment, Slot: endOfSegment}) {
		return false, nil
	}
	checkpoint, err := p.checkpoint(ctx, c)
	if err != nil {
		return false, err
	}
	var meta recordpb.CheckpointMeta
	if err := proto.Unmarshal(checkpoint.Meta, &meta); err != nil {
		return false, fmt.Errorf("%w: %s: %w", ErrCorrupt, c.folder(p.id), err)
	}
	return at.Before(revision.Seq{Segment: meta.Segment, Slot: meta.Slot}), nil
}

// placeText is a place in the log, for people.
func placeText(at revision.Seq) string {
	if at.Slot == endOfSegment {
		return fmt.Sprintf("the end of segment %d", at.Segment)
	}
	return at.String()
}
