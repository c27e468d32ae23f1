package backend

import (
	"errors"
	"fmt"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// scavengeStep is how many versions are physically trimmed after each slot:
// little enough not to be felt, and more than a slot of updates leaves behind.
const scavengeStep = 1024

// applyLoop applies slots in order. It owns the machine, and is the only one
// that publishes views. It ends with the backend, or with the first error of
// the log, after which nothing can be trusted: then the backend fails.
//
// Ordering, for each slot: evaluate; publish the view; tell the lessor; wake
// watchers and readers; answer clients. A client that has its answer finds its
// write in every view.
func (b *Backend) applyLoop() {
	for {
		slot, err := b.log.Next(b.ctx)
		if err != nil {
			b.fail(err)
			return
		}
		if b.apply(slot); b.ctx.Err() != nil {
			return
		}
	}
}

func (b *Backend) apply(slot revision.Slot) {
	applied := b.machine.Apply(slot)
	for _, r := range applied.Results {
		if errors.Is(r.Err, state.ErrUnknownRequest) {
			b.fail(fmt.Errorf("%w: the slot at %v holds a request of a kind unknown to this zkine; upgrade it",
				revision.ErrNewerFormat, slot.Seq))
			return
		}
	}
	b.auth.applied(applied.Auth, b.live.Load())
	before, view := b.view.Load(), b.machine.View()
	b.view.Store(view)
	b.log.Applied(slot.Seq, view.Rev())
	b.lessor.applied(applied.Leases)
	b.hub.wake()
	b.progress.reached(slot.Seq)
	if !applied.Duplicate {
		b.pending.answer(slot.Nonce, applied.Results)
	}
	b.observeAgreement(before, view, b.live.Load())
	if !b.holdScavenging.Load() {
		b.machine.Scavenge(scavengeStep)
	}
}
