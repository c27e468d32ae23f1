package backend

import (
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// applyEffects carries what the apply loop did to the parts of the backend that
// follow it: tokens, leases, watches, the quota, housekeeping.
type applyEffects struct{ b *Backend }

func (e applyEffects) SegmentEnded(end *state.View) {
	e.b.replay.segmentEnded()
	e.b.segmentEnded(end)
}

func (e applyEffects) Evaluated(applied state.Applied) {
	e.b.replay.compared.Add(int64(applied.Compared))
	live := e.b.live.Load()
	e.b.auth.applied(applied.Auth, live)
	if !live {
		e.b.cfg.Startup.add(1)
	}
}

func (e applyEffects) Published(before, view *state.View, applied state.Applied) {
	b := e.b
	if view.CompactRev() > before.CompactRev() {
		b.floorMoved.Store(view.Seq().Segment)
	}
	b.cfg.Published(view)
	if len(applied.Compactions) > 0 && b.live.Load() {
		b.hashes.add(applied.Compactions)
	}
	b.quota.size.Store(b.log.Sizes().Total())
	b.lessor.applied(applied.Leases)
	b.hub.wake()
}

func (e applyEffects) Answered(before, view *state.View) {
	e.b.observeAgreement(before, view, e.b.live.Load())
}

// Skipping forgets tokens: users may have changed in the part that is skipped.
func (e applyEffects) Skipping() { e.b.auth.simple.Clear() }

func (e applyEffects) Restored(view *state.View) {
	b := e.b
	b.floorMoved.Store(view.Seq().Segment)
	b.cfg.Published(view)
	b.lessor.reset(view)
	b.hub.wake()
}

func (e applyEffects) Fail(err error) { e.b.fail(err) }

func (e applyEffects) Held() bool { return e.b.scavengeHolds.Load() > 0 }

func (e applyEffects) Awaited() bool { return e.b.awaited.Load() > 0 }

func (e applyEffects) Limit(floor revision.Rev) revision.Rev { return e.b.hashes.floor(floor) }

func (e applyEffects) Swept() revision.Rev { return e.b.scavenged.floor() }

func (e applyEffects) Reached(floor revision.Rev) { e.b.scavenged.reached(floor) }
