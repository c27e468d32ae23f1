package zkroot

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkclient"
)

// Past is what a root still holds of its log: the older of the checkpoints that it
// keeps, and all slots after that one, as of the moment when it was looked at. It
// reads on the session of the reader that made it.
type Past struct {
	// ClusterID is the root's.
	ClusterID uint64
	// Checkpoint is what the log begins with; nil if it begins with the first slot
	// there ever was.
	Checkpoint *revision.Checkpoint
	// Slots is how many there are, at most: of duplicates both count.
	Slots int64

	reader   Reader
	segments []pastSegment
}

// pastSegment is a segment and how many slots it has.
type pastSegment struct {
	SegmentRef
	slots int64
}

// Past looks at what the root holds of its log, after a barrier. A keeper may remove
// a part of it while it is read: revision.ErrTrimmed, here or from Each, says so, and
// to begin again finds a later past.
func (r Reader) Past(ctx context.Context) (*Past, error) {
	if err := r.Barrier(ctx); err != nil {
		if errors.Is(err, zk.ErrNoNode) {
			err = r.missingFormat(ctx)
		}
		return nil, err
	}
	p := &Past{reader: r}
	var err error
	if p.ClusterID, err = r.Format(ctx); err != nil {
		return nil, err
	}
	open, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	record, _, err := r.Checkpoints(ctx)
	if err != nil {
		return nil, err
	}
	from := int64(1)
	if ref := record.Previous; ref != nil || record.Latest != nil {
		if ref == nil {
			ref = record.Latest
		}
		if p.Checkpoint, err = r.checkpoint(ctx, ref); err != nil {
			return nil, err
		}
		from = ref.Segment + 1
	}
	return p, p.list(ctx, from, open)
}

// list lists the segments from a number up to the open one.
func (p *Past) list(ctx context.Context, from int64, open SegmentRef) error {
	segments, err := p.reader.Segments(ctx)
	if err != nil {
		return err
	}
	for _, s := range segments {
		if s.Number < from || s.Number > open.Number {
			continue
		}
		if next := from + int64(len(p.segments)); s.Number != next {
			return p.gone(ctx, next, fmt.Errorf("%w: segment %d is missing under %s; restore it from a backup of ZooKeeper", revision.ErrCorrupt, next, p.reader.layout.Log()))
		}
		stat, err := p.reader.conn.Exists(ctx, p.reader.layout.Segment(s.Name))
		if err != nil {
			return p.gone(ctx, s.Number, fmt.Errorf("look at %s: %w", p.reader.layout.Segment(s.Name), err))
		}
		p.segments = append(p.segments, pastSegment{s, int64(stat.Version)})
		p.Slots += int64(stat.Version)
	}
	if next := from + int64(len(p.segments)); next <= open.Number {
		return p.gone(ctx, next, fmt.Errorf("%w: segment %d is missing under %s; restore it from a backup of ZooKeeper", revision.ErrCorrupt, next, p.reader.layout.Log()))
	}
	return nil
}

// checkpoint is a stored one whose chunks are read when they are asked for.
func (r Reader) checkpoint(ctx context.Context, ref *CheckpointRef) (*revision.Checkpoint, error) {
	manifest, err := r.Manifest(ctx, ref)
	var meta []byte
	if err == nil {
		meta, err = r.Chunk(ctx, manifest.Meta)
	}
	if err != nil {
		return nil, r.replaced(ctx, ref, err)
	}
	cp := &revision.Checkpoint{Segment: manifest.Segment, Meta: meta}
	for _, c := range manifest.Chunks {
		cp.RawBytes += int64(c.RawLength)
	}
	cp.Chunks = func(ctx context.Context) iter.Seq2[[]byte, error] {
		return r.chunks(ctx, ref, manifest.Chunks)
	}
	return cp, nil
}

func (r Reader) chunks(ctx context.Context, ref *CheckpointRef, all []*recordpb.StoredChunk) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, c := range all {
			data, err := r.Chunk(ctx, c)
			if err != nil {
				err = r.replaced(ctx, ref, err)
			}
			if !yield(data, err) || err != nil {
				return
			}
		}
	}
}

// replaced makes ErrTrimmed of an error that comes of reading a checkpoint that is
// not kept any more.
func (r Reader) replaced(ctx context.Context, ref *CheckpointRef, err error) error {
	kept := func(record CheckpointRecord) bool {
		return slices.ContainsFunc([]*CheckpointRef{record.Latest, record.Previous}, ref.isSame)
	}
	return r.lostIf(ctx, kept, err, fmt.Errorf("%w: the checkpoint of segment %d was replaced", revision.ErrTrimmed, ref.Segment))
}

// gone makes ErrTrimmed of an error that comes of reading a segment that may be gone
// by now.
func (p *Past) gone(ctx context.Context, segment int64, err error) error {
	if !errors.Is(err, zk.ErrNoNode) && !errors.Is(err, ErrMissing) && !errors.Is(err, revision.ErrCorrupt) {
		return err
	}
	if trimmed := p.reader.Trimmed(ctx, segment); trimmed != nil {
		return trimmed
	}
	if !errors.Is(err, revision.ErrCorrupt) {
		err = fmt.Errorf("%w: %w; restore it from a backup of ZooKeeper", revision.ErrCorrupt, err)
	}
	return err
}

// Each yields the slots in order. It stops after the first error.
func (p *Past) Each(ctx context.Context) iter.Seq2[*StoredSlot, error] {
	return func(yield func(*StoredSlot, error) bool) {
		for _, s := range p.segments {
			run := slotRun[*StoredSlot]{reader: p.reader, segment: s.SegmentRef, pack: p.reader.packFrom, slot: p.reader.Slot}
			for next := int64(0); next < s.slots; {
				slots, err := run.read(ctx, next, s.slots)
				if err != nil {
					yield(nil, p.gone(ctx, s.Number, err))
					return
				}
				for _, slot := range slots {
					if !yield(slot, nil) {
						return
					}
				}
				next += int64(len(slots))
			}
		}
	}
}

// Begin is the place of the first slot.
func (p *Past) Begin() Place {
	if len(p.segments) == 0 {
		return Place{}
	}
	return Place{Segment: p.segments[0].SegmentRef}
}

// packFrom reads the slots of a pack from one on.
func (r Reader) packFrom(ctx context.Context, segment SegmentRef, ref PackRef, first int64) ([]*StoredSlot, error) {
	slots, err := r.Pack(ctx, segment, ref)
	if err != nil {
		return nil, err
	}
	return slots[first-ref.First:], nil
}

// slotRun reads slots of one segment, some at once, as whatever its functions make of
// them.
type slotRun[T any] struct {
	reader  Reader
	segment SegmentRef
	// pack reads the slots of a pack from one on.
	pack func(ctx context.Context, segment SegmentRef, ref PackRef, first int64) ([]T, error)
	// slot reads one that is a znode of its own. Error: ErrMissing.
	slot func(ctx context.Context, segment SegmentRef, seq revision.Seq) (T, error)
}

// slotsAhead is how many slots are read at once.
const slotsAhead = 32

// read reads slots from first on, at least one if end is not first: those of a pack, which
// may go beyond end, or some that are znodes of their own, before end. A keeper may be
// packing them. Errors: ErrMissing and zk.ErrNoNode if a slot is nowhere.
func (s slotRun[T]) read(ctx context.Context, first, end int64) ([]T, error) {
	slots, err := s.once(ctx, first, end)
	if !errors.Is(err, ErrMissing) && !errors.Is(err, zk.ErrNoNode) {
		return slots, err
	}
	if err := s.reader.Barrier(ctx); err != nil {
		return nil, err
	}
	return s.once(ctx, first, end)
}

func (s slotRun[T]) once(ctx context.Context, first, end int64) ([]T, error) {
	packs, err := s.reader.Packs(ctx, s.segment.Name)
	if err != nil {
		return nil, err
	}
	end = min(end, first+slotsAhead)
	if i, packed := FindPack(packs, first); packed {
		return s.pack(ctx, s.segment, packs[i], first)
	} else if i < len(packs) {
		end = min(end, packs[i].First)
	}
	slots := make([]T, max(0, end-first))
	group, ctx := errgroup.WithContext(ctx)
	for i := range slots {
		group.Go(func() (err error) {
			slots[i], err = s.slot(ctx, s.segment, revision.Seq{Segment: s.segment.Number, Slot: first + int64(i)})
			return err
		})
	}
	return slots, group.Wait()
}

// Place is where a reader of the log has got to: the slots before Next, of this
// segment, are behind it. The name of a segment is random, so that a place is one in
// this log and in no other.
type Place struct {
	Segment SegmentRef
	Next    int64
}

// Tail hands over the slots from a place on, which it moves along, and goes on with
// those that are appended, looking for them after each pause, until yield returns
// false or ctx ends. A new call on another session goes on where an earlier one
// ended. Errors: revision.ErrTrimmed if a keeper has removed what comes next; those of
// Reader; the session's.
func (r Reader) Tail(ctx context.Context, at *Place, pause time.Duration, yield func(*StoredSlot) bool) error {
	p := &Past{reader: r} // judges what is gone
	for ctx.Err() == nil {
		// In this order: what is not open any more gets no slot.
		open, err := r.Open(ctx)
		if err != nil {
			return err
		}
		stat, err := r.conn.Exists(ctx, r.layout.Segment(at.Segment.Name))
		if err != nil {
			return p.gone(ctx, at.Segment.Number, err)
		}
		run := slotRun[*StoredSlot]{reader: r, segment: at.Segment, pack: r.packFrom, slot: r.Slot}
		for end := int64(stat.Version); at.Next < end; {
			slots, err := run.read(ctx, at.Next, end)
			if err != nil {
				return p.gone(ctx, at.Segment.Number, err)
			}
			for _, slot := range slots {
				at.Next++
				if !yield(slot) {
					return nil
				}
			}
		}
		if open.Number > at.Segment.Number {
			next, err := r.SegmentAfter(ctx, at.Segment.Number)
			if err != nil {
				return err
			}
			*at = Place{Segment: next}
			continue
		}
		zkclient.Pause(ctx, pause)
	}
	return context.Cause(ctx)
}
