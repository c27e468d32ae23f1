package recovery

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// begin makes the state that a past begins with.
func begin(ctx context.Context, p *Past) (*state.Machine, error) {
	if p.Checkpoint == nil {
		return state.New(), nil
	}
	m, err := state.Restore(p.Checkpoint.Meta, p.Checkpoint.Chunks(ctx))
	if err != nil {
		return nil, fmt.Errorf("load the checkpoint of segment %d: %w", p.Checkpoint.Segment, err)
	}
	return m, nil
}

// step is a request of the log that was applied.
type step struct {
	slot    *Slot
	request *recordpb.Request
	// rev is the state's revision after the request; changed says that the request
	// made it.
	rev     revision.Rev
	changed bool
	// err is why it did nothing; nil if it did what it asks for.
	err error
	// view is the state after a slot's last request, or after this one: what the
	// request changed can be read from it.
	view *state.View
}

// replayer applies slots and yields what their requests did.
type replayer struct {
	m *state.Machine
	// until ends a slot after the request that makes this revision; 0 for none.
	until revision.Rev
}

// apply applies a slot. It yields a step for each request, none for a duplicate. What
// a compaction made unreadable is freed once the steps are over.
func (r *replayer) apply(slot *Slot) iter.Seq[step] {
	return func(yield func(step) bool) {
		for _, part := range r.parts(slot) {
			before := r.m.View().Rev()
			applied := r.m.ApplyFor(part, func(int) bool { return false })
			if applied.Duplicate {
				return
			}
			view := r.m.View()
			for i, result := range applied.Results {
				s := step{slot: slot, request: part.Requests[i], rev: result.Rev, changed: result.Rev > before, err: result.Err, view: view}
				before = result.Rev
				if !yield(s) {
					return
				}
			}
			if r.done() {
				break
			}
		}
		for r.m.CompactPhysically(compactAtOnce) {
		}
	}
}

// done says whether the revision is reached that ends it.
func (r *replayer) done() bool { return r.until > 0 && r.m.View().Rev() >= r.until }

// compactAtOnce is how many changes are looked at before a view is let go.
const compactAtOnce = 100_000

// parts is a slot, whole if nothing may be seen in between. Else each request comes
// alone: where the end may be within the slot, and where a compaction may make
// unreadable what a request before it changed. The state is the same, but for which
// nonces it has seen, of which only the slot's own can come again.
func (r *replayer) parts(slot *Slot) []revision.Slot {
	requests := slot.Requests
	mayEnd := r.until > 0 && r.m.View().Rev()+revision.Rev(len(requests)) > r.until
	if len(requests) < 2 || !mayEnd && !compacts(requests) {
		return []revision.Slot{slot.Slot}
	}
	parts := make([]revision.Slot, len(requests))
	for i := range requests {
		parts[i] = slot.Slot
		parts[i].Requests = requests[i : i+1]
		if i > 0 {
			tail := binary.BigEndian.Uint32(parts[i].Nonce[12:])
			binary.BigEndian.PutUint32(parts[i].Nonce[12:], tail+uint32(i))
		}
	}
	return parts
}

func compacts(requests []*recordpb.Request) bool {
	for _, r := range requests {
		if r.GetCompaction() != nil || r.GetRevisionRaise() != nil {
			return true
		}
	}
	return false
}
