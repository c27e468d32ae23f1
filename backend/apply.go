package backend

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	more := false // to scavenge
	idle := 1     // doubles with each time that no slot came
	for b.ctx.Err() == nil {
		slot, err := b.next(more, time.Duration(idle)*idleTime)
		switch {
		case err == nil:
			b.apply(slot)
			more, idle = b.scavenge(1), 1
		case errors.Is(err, errIdle):
			more, idle = b.scavenge(idle), min(2*idle, b.idleMost())
		case errors.Is(err, revision.ErrTrimmed):
			if err := b.reload(); err != nil {
				if errors.Is(err, revision.ErrLogLost) {
					b.log.Distrust(err)
				}
				b.fail(err)
			}
		default:
			b.fail(err)
		}
	}
}

// errIdle says that no slot has come for a moment.
var errIdle = errors.New("backend: no slot")

// idleTime is how long no slot must have come for the apply loop to scavenge
// meanwhile, at first; up to idleMost times as long, since what the log reads is
// cut off then, and has to get through on the slowest ensemble, too.
const (
	idleTime = 10 * time.Millisecond
	idleMost = 64
)

// awaitedFactor is how much more is scavenged at once, and how much sooner, while
// somebody waits for it: some hundred thousand versions a second.
const awaitedFactor = 8

// idleMost is idleMost, or less while somebody waits.
func (b *Backend) idleMost() int {
	if b.awaited.Load() > 0 {
		return idleMost / awaitedFactor
	}
	return idleMost
}

func (b *Backend) next(more bool, idle time.Duration) (revision.Slot, error) {
	if !more {
		return b.log.Next(b.ctx)
	}
	ctx, cancel := context.WithTimeoutCause(b.ctx, idle, errIdle)
	defer cancel()
	return b.log.Next(ctx)
}

// scavenge frees some of what lies below the compaction floor, in so many steps.
// It says whether there is more to do.
func (b *Backend) scavenge(steps int) (more bool) {
	if b.scavengeHolds.Load() > 0 {
		return b.machine.View().CompactRev() > b.scavenged.floor()
	}
	if b.awaited.Load() > 0 {
		steps *= awaitedFactor
	}
	floor := b.view.Load().CompactRev()
	to := b.hashes.floor(floor)
	if more = b.machine.CompactPhysicallyTo(to, steps*scavengeStep) || to < floor; !more {
		b.scavenged.reached(floor)
	}
	return more
}

func (b *Backend) apply(slot revision.Slot) {
	came := time.Now()
	if end := b.view.Load(); slot.Seq.Segment > end.Seq().Segment && end.Seq().Segment > 0 {
		b.replay.boundary()
		b.crossed(end)
	}
	applied := b.machine.ApplyFor(slot, b.pending.wanted(slot.Nonce))
	b.replay.compared.Add(int64(applied.Compared))
	for _, r := range applied.Results {
		if errors.Is(r.Err, state.ErrUnknownRequest) {
			b.fail(fmt.Errorf("%w: the slot at %v holds a request of a kind unknown to this zkine; upgrade it",
				revision.ErrNewerFormat, slot.Seq))
			return
		}
	}
	if b.live.Load() {
		b.auth.applied(applied.Auth)
	} else {
		b.cfg.Starting.add(1)
	}
	before, view := b.view.Load(), b.machine.View()
	if view.CompactRev() > before.CompactRev() {
		b.floorMoved.Store(slot.Seq.Segment)
	}
	b.view.Store(view)
	b.cfg.Published(view)
	if len(applied.Compactions) > 0 && b.live.Load() {
		b.hashes.add(applied.Compactions)
	}
	b.log.Applied(slot.Seq, view.Rev())
	b.size.Store(b.log.Sizes().Total())
	b.lessor.applied(applied.Leases)
	b.hub.wake()
	b.progress.reached(slot.Seq)
	if !applied.Duplicate {
		b.pending.answer(slot.Nonce, applied.Results, came)
	}
	b.observeAgreement(before, view, b.live.Load())
}
