package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkine/zkine/revision"
)

// Finding is something in an archive that cannot be trusted, or that is missing.
type Finding struct {
	// Object names it; empty for what is missing.
	Object string
	Err    error
}

// Verified is what Verify saw of a place.
type Verified struct {
	Cluster     string
	Objects     int64
	Bytes       int64
	Slots       int64
	Checkpoints int
	// From is what the archive begins with: the oldest checkpoint, or nil for the first
	// slot there ever was. To is the last slot.
	From    *CheckpointRef
	To      revision.Seq
	Written time.Time
	// Unfinished are checkpoints that were not written to the end: harmless.
	Unfinished int
	Findings   []Finding
}

// Verify reads every object of a place and judges it, without stopping at the first
// finding. It changes nothing, and an archiver may go on. progress, if not nil, is told
// how many more objects and bytes were read. An error says that it could not finish.
func (p *Place) Verify(ctx context.Context, progress func(objects, bytes int64)) (*Verified, error) {
	if progress != nil {
		counted := *p
		counted.read = func(bytes int) { progress(1, int64(bytes)) }
		p = &counted
	}
	v := &Verified{Cluster: p.Cluster(), Objects: p.objects, Bytes: p.bytes, Checkpoints: len(p.checkpoints), Unfinished: len(p.unfinished)}
	v.To, v.Written = p.Newest()
	for _, name := range p.strange {
		v.found(name, fmt.Errorf("%w: zkine gives no object such a name", ErrForeign))
	}
	for _, c := range p.checkpoints {
		if err := p.verifyCheckpoint(ctx, c); err != nil {
			if !judges(err) {
				return nil, err
			}
			v.found(c.folder(p.id), err)
		}
	}
	seen := revision.Seq{}
	for _, r := range p.runs {
		slots, err := p.readRun(ctx, r)
		if err != nil {
			if !judges(err) {
				return nil, err
			}
			v.found(r.name(p.id), err)
			continue
		}
		for _, slot := range slots {
			if seen.Before(slot.Slot.Seq) || v.Slots == 0 {
				seen = slot.Slot.Seq
				v.Slots++
			}
		}
	}
	return v, p.verifyChain(ctx, v)
}

func (v *Verified) found(object string, err error) {
	v.Findings = append(v.Findings, Finding{object, err})
}

func (p *Place) verifyCheckpoint(ctx context.Context, c CheckpointRef) error {
	m, err := p.manifest(ctx, c)
	if err != nil {
		return err
	}
	for i, ref := range m.Chunks {
		if _, err := p.chunk(ctx, c, int64(i), ref); err != nil {
			return err
		}
	}
	return nil
}

// verifyChain finds what is missing between the slots. A checkpoint that cannot be read
// was found before.
func (p *Place) verifyChain(ctx context.Context, v *Verified) error {
	at := revision.Seq{}
	if _, fromTheFirst := p.next(at); !fromTheFirst {
		if len(p.checkpoints) == 0 {
			v.found("", fmt.Errorf("%w: there is no complete checkpoint to begin with", ErrHole))
			return nil
		}
		v.From = &p.checkpoints[0]
		at = revision.Seq{Segment: v.From.Segment, Slot: endOfSegment}
	}
	for {
		if runs := p.chain(at); len(runs) > 0 {
			at = runs[len(runs)-1].end()
		}
		err := p.hole(ctx, at)
		if err == nil || judges(err) {
			return nil
		}
		if !errors.Is(err, ErrHole) {
			return err
		}
		resumes, found, failed := p.resumes(ctx, at)
		if failed != nil {
			return failed
		}
		if !found {
			v.found("", err)
			return nil
		}
		v.found("", fmt.Errorf("%w; what is there from revision %d on%s, can be restored", err, resumes.Revision, since(resumes)))
		at = revision.Seq{Segment: resumes.Segment, Slot: endOfSegment}
	}
}

// resumes is the first checkpoint that covers more than what goes up to a place.
func (p *Place) resumes(ctx context.Context, at revision.Seq) (CheckpointRef, bool, error) {
	for _, c := range p.checkpoints {
		if covers, err := p.covers(ctx, c, at); covers || err != nil && !judges(err) {
			return c, covers, err
		}
	}
	return CheckpointRef{}, false, nil
}
