package archive

import (
	"errors"
	"time"

	"github.com/zkine/zkine/revision/zkroot"
)

// Retention says what is kept, at least: what is needed to make the state again as it was
// at any moment since. The newest checkpoint, and the log after it, always stay.
type Retention struct {
	// Age is for how long one can go back; 0 for ever.
	Age time.Duration
	// Count is how many checkpoints are kept, with the log after the first of them; 0
	// for all. If both are set, what either lets go goes.
	Count int
}

// retain removes what the retention does not keep, and what unfinished checkpoints have
// left. Another archiver may do the same.
func (r *round) retain(record zkroot.CheckpointRecord) error {
	p := r.place
	keep, cut := r.cfg.Retention.oldest(p, r.cfg.Clock())
	if cut {
		oldest := p.checkpoints[keep]
		for _, c := range p.checkpoints[:keep] {
			// The manifest first: without it the rest does not count.
			if err := r.remove(c.manifestName(p.id)); err != nil {
				return err
			}
			if err := r.removeFolder(c); err != nil {
				return err
			}
		}
		p.checkpoints = p.checkpoints[keep:]
		kept := p.runs[:0:0]
		for _, one := range p.runs {
			if one.segment > oldest.Segment {
				kept = append(kept, one)
				continue
			}
			if err := r.remove(one.name(p.id)); err != nil {
				return err
			}
		}
		p.runs = kept
	}
	return r.tidyUp(record)
}

// tidyUp removes what unfinished checkpoints have left, unless the root still holds one:
// then another archiver may be writing it.
func (r *round) tidyUp(record zkroot.CheckpointRecord) error {
	p := r.place
	left := p.unfinished[:0:0]
	for _, c := range p.unfinished {
		if len(p.checkpoints) == 0 || c.Segment >= p.checkpoints[len(p.checkpoints)-1].Segment || held(record, c) {
			left = append(left, c)
			continue
		}
		there, err := r.chunksOf(r.ctx, c)
		if err != nil {
			return err
		}
		if there[c.manifestName(p.id)] {
			continue // another archiver has finished it since; the next look finds it
		}
		// A second time: its manifest may have been written while the chunks went.
		for range 2 {
			if err := r.removeFolder(c); err != nil {
				return err
			}
		}
	}
	p.unfinished = left
	return nil
}

// held says whether the root has a checkpoint of the segment.
func held(record zkroot.CheckpointRecord, c CheckpointRef) bool {
	for _, ref := range []*zkroot.CheckpointRef{record.Latest, record.Previous} {
		if ref != nil && ref.Segment == c.Segment {
			return true
		}
	}
	return false
}

// oldest is the index of the oldest checkpoint that is kept, with the log after it; false
// if all is kept.
func (k Retention) oldest(p *Place, now time.Time) (keep int, cut bool) {
	for i, c := range p.checkpoints {
		if k.Age > 0 && c.written > 0 && c.written <= now.Add(-k.Age).UnixMilli() {
			keep, cut = i, true
		}
	}
	if n := len(p.checkpoints) - k.Count; k.Count > 0 && n >= 0 && (!cut || n > keep) {
		keep, cut = n, true
	}
	return keep, cut
}

func (r *round) removeFolder(c CheckpointRef) error {
	for object, err := range r.cfg.Store.List(r.ctx, c.folder(r.place.id)+"/") {
		if err != nil {
			return err
		}
		if err := r.remove(object.Name); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) remove(name string) error {
	err := r.cfg.Store.Remove(r.ctx, name)
	if err == nil || errors.Is(err, ErrNotFound) {
		r.report.Removed++
		return nil
	}
	return err
}
