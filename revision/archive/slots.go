package archive

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

const (
	// maxRunSlots bounds the slots of an object, and runBytes what they have before
	// compression, in bytes: one more is taken in while they have less.
	maxRunSlots = 1 << 16
	runBytes    = 4 << 20
	// maxObject bounds an object, in bytes: a slot of the largest size there is, or a
	// chunk, which compression has not made smaller, and what is around them.
	maxObject = zkroot.MaxRaw + zkroot.MaxRaw/8
	// maxSegmentName bounds the name of a segment, in bytes.
	maxSegmentName = 64
)

// encodeRun is the payload of an object of slots: the segment's name and each slot's data,
// each after its length as a uvarint.
func encodeRun(segment string, slots []zkroot.InlineSlot) []byte {
	raw := binary.AppendUvarint(nil, uint64(len(segment)))
	raw = append(raw, segment...)
	for _, s := range slots {
		raw = binary.AppendUvarint(raw, uint64(len(s.Data)))
		raw = append(raw, s.Data...)
	}
	return raw
}

// decodeRun returns the segment's name and the data of count slots. Error: ErrCorrupt.
func decodeRun(raw []byte, count int64) (segment string, slots [][]byte, err error) {
	next := func() (part []byte, ok bool) {
		n, used := binary.Uvarint(raw)
		if used <= 0 || n > uint64(len(raw)-used) {
			return nil, false
		}
		part, raw = raw[used:used+int(n)], raw[used+int(n):]
		return part, true
	}
	name, ok := next()
	if !ok || len(name) > maxSegmentName {
		return "", nil, fmt.Errorf("%w: no segment's name", ErrCorrupt)
	}
	for range count {
		slot, ok := next()
		if !ok {
			return "", nil, fmt.Errorf("%w: it holds less than %d slots", ErrCorrupt, count)
		}
		slots = append(slots, slot)
	}
	if len(raw) > 0 {
		return "", nil, fmt.Errorf("%w: it holds more than %d slots", ErrCorrupt, count)
	}
	return string(name), slots, nil
}

// readRun reads and verifies the slots of a run.
func (p *Place) readRun(ctx context.Context, r run) ([]*zkroot.StoredSlot, error) {
	name := r.name(p.id)
	data, err := p.get(ctx, name)
	if err != nil {
		return nil, err
	}
	slots, err := decodeSlots(p.id, r, data)
	if err != nil {
		return nil, fmt.Errorf("%s in %v: %w", name, p.store, err)
	}
	return slots, nil
}

func decodeSlots(id placeID, r run, data []byte) ([]*zkroot.StoredSlot, error) {
	raw, err := r.label(id).open(data)
	if err != nil {
		return nil, err
	}
	segment, datas, err := decodeRun(raw, r.last-r.first+1)
	if err != nil {
		return nil, err
	}
	ref, err := zkroot.ParseSegmentRef(segment)
	if err != nil || ref.Number != r.segment {
		return nil, fmt.Errorf("%w: slots of segment %.64q", ErrCorrupt, segment)
	}
	slots := make([]*zkroot.StoredSlot, len(datas))
	for i, data := range datas {
		seq := revision.Seq{Segment: r.segment, Slot: r.first + int64(i)}
		if slots[i], err = zkroot.DecodeInline(ref, seq, data); err != nil {
			return nil, fmt.Errorf("slot %v: %w", seq, err)
		}
	}
	return slots, nil
}

// get reads an object that is in a list.
func (p *Place) get(ctx context.Context, name string) ([]byte, error) {
	data, err := p.store.Get(ctx, name, maxObject)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if p.read != nil {
		p.read(len(data))
	}
	return data, nil
}
