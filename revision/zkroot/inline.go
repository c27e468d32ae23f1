package zkroot

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/zkine/zkine/revision"
)

// InlineSlot is a slot's data with all of its payload in it, wherever that lies in
// ZooKeeper: what an archive keeps.
type InlineSlot struct {
	Data []byte
	// Nonce is the slot's.
	Nonce revision.Nonce
	// Written is what the slot says of when it was written, in milliseconds since
	// 1970; 0 if it does not say so.
	Written int64
}

// DecodeInline reads a slot's data whose payload is in it. Errors: ErrCorrupt,
// ErrNewerFormat.
func DecodeInline(segment SegmentRef, seq revision.Seq, data []byte) (*StoredSlot, error) {
	env, err := DecodeEnvelope(data)
	if err != nil {
		return nil, err
	}
	if env.staged() {
		return nil, fmt.Errorf("%w: a slot whose payload lies elsewhere", revision.ErrCorrupt)
	}
	batch, err := env.batch()
	if err != nil {
		return nil, err
	}
	return &StoredSlot{Segment: segment, Size: len(data), Raw: int(env.raw), Slot: batch.At(seq, env.term)}, nil
}

// InlineSlots reads slots of a segment from first on, up to end, which is not among
// them: those of a pack, or some that are znodes of their own, at least one. A keeper
// may be packing them. Errors: ErrMissing if a slot is nowhere, as after a keeper has
// removed it; ErrCorrupt, ErrNewerFormat; the session's.
func (r Reader) InlineSlots(ctx context.Context, segment SegmentRef, first, end int64) ([]InlineSlot, error) {
	run := slotRun[InlineSlot]{reader: r, segment: segment, pack: r.inlinePack, slot: r.inlineSlot}
	slots, err := run.read(ctx, first, end)
	if errors.Is(err, zk.ErrNoNode) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return slots, err
}

func (r Reader) inlineSlot(ctx context.Context, segment SegmentRef, seq revision.Seq) (slot InlineSlot, err error) {
	path := r.layout.Slot(segment.Name, seq.Slot)
	data, _, err := r.conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return slot, fmt.Errorf("%w: %s", ErrMissing, path)
	}
	if err == nil {
		slot, err = r.inline(ctx, segment, data)
	}
	if err != nil {
		return slot, untrusted("slot "+path, err)
	}
	return slot, nil
}

func (r Reader) inlinePack(ctx context.Context, segment SegmentRef, ref PackRef, first int64) ([]InlineSlot, error) {
	path := r.layout.Packed(segment.Name, ref)
	data, _, err := r.conn.Get(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	packed, err := decodePack(data, int(ref.Last-ref.First+1))
	if err != nil {
		return nil, untrusted("pack "+path, err)
	}
	packed = packed[first-ref.First:]
	slots := make([]InlineSlot, len(packed))
	for i, data := range packed {
		if slots[i], err = r.inline(ctx, segment, data); err != nil {
			return nil, untrusted(fmt.Sprintf("slot %d in pack %s", first+int64(i), path), err)
		}
	}
	return slots, nil
}

// inline verifies a slot's data, and gets its parts into it if it has some.
func (r Reader) inline(ctx context.Context, segment SegmentRef, data []byte) (InlineSlot, error) {
	env, err := DecodeEnvelope(data)
	if err != nil {
		return InlineSlot{}, err
	}
	if env.staged() {
		if err := r.parts(ctx, segment, env); err != nil {
			return InlineSlot{}, err
		}
		env.flags &^= flagStaged
		env.parts = 0
		data = env.Bytes()
	}
	written, err := env.written()
	return InlineSlot{Data: data, Nonce: env.nonce, Written: written}, err
}

// written is when a batch says that it was written, without decoding its requests.
func (e *Envelope) written() (at int64, err error) {
	payload, buffer, err := e.plain()
	if err != nil {
		return 0, err
	}
	defer buffer.giveBack()
	const writtenUnixMs = 3 // of recordpb.Batch
	for len(payload) > 0 {
		number, kind, head := protowire.ConsumeTag(payload)
		if head < 0 {
			break
		}
		size := protowire.ConsumeFieldValue(number, kind, payload[head:])
		if size < 0 {
			break
		}
		if number == writtenUnixMs && kind == protowire.VarintType {
			v, _ := protowire.ConsumeVarint(payload[head:])
			at = int64(v)
		}
		payload = payload[head+size:]
	}
	if len(payload) > 0 || at < 0 {
		return 0, fmt.Errorf("%w: a payload that is no batch", revision.ErrCorrupt)
	}
	return at, nil
}
