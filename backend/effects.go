package backend

import (
	"github.com/zkine/zkine/backend/state"
)

// applyEffects carries what the apply loop did to the parts of the backend that
// follow it: tokens, leases, watches, the quota, housekeeping.
type applyEffects struct{ b *Backend }

func (e applyEffects) SegmentEnded(end *state.View) { e.b.housekeeper.SegmentEnded(end) }

func (e applyEffects) Evaluated(applied state.Applied) {
	if e.b.live.Load() {
		e.b.auth.applied(applied.Auth)
	} else {
		e.b.cfg.Startup.add(1)
	}
}

func (e applyEffects) Published(before, view *state.View, applied state.Applied) {
	b := e.b
	b.cfg.Published(view)
	b.housekeeper.Applied(before, view, applied)
	b.lessor.Applied(applied.Leases)
	b.watches.Wake()
}

func (e applyEffects) Answered(before, view *state.View) { e.b.housekeeper.Answered(before, view) }

// Skipping forgets tokens: users may have changed in the part that is skipped.
func (e applyEffects) Skipping() { e.b.auth.simple.Clear() }

func (e applyEffects) Loaded(view *state.View) {
	b := e.b
	b.housekeeper.Loaded(view)
	b.cfg.Published(view)
	b.lessor.Reset(view)
	b.watches.Wake()
}

func (e applyEffects) Fail(err error) { e.b.fail(err) }
