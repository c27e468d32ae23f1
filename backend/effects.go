package backend

import (
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// effects is what the applier tells the rest of the backend, with its lock held: none
// of the calls may wait for anything but a lock.
type effects interface {
	// SegmentEnded is called before the first slot of a segment is applied; end is
	// the view at the end of the segment before.
	SegmentEnded(end *state.View)
	// Evaluated is called before the view of a slot is published.
	Evaluated(applied state.Applied)
	// Published is called once it is, before readers and clients hear of it.
	Published(before, view *state.View, applied state.Applied)
	// Answered is called once the clients of the slot have their answers.
	Answered(before, view *state.View)
	// Skipping is called before the view of a checkpoint is published that takes
	// the place of slots which are gone.
	Skipping()
	// Loaded is called once the view of a checkpoint, or of the empty state, is
	// published.
	Loaded(view *state.View)
	// Fail ends the backend.
	Fail(err error)
}

// physical says how much of what a compaction made unreadable may be physically
// compacted, which is to free its memory. *housekeep.PhysicalCompaction satisfies
// it.
type physical interface {
	// Held says that nothing may be, since an older view is read as a whole.
	Held() bool
	// Awaited says that a caller waits for it.
	Awaited() bool
	// Limit is up to which revision history may be, given the compaction floor.
	Limit(floor revision.Rev) revision.Rev
	// Floor is the compaction floor below which nothing is left; Reached raises it.
	Floor() revision.Rev
	Reached(floor revision.Rev)
}

// applyEffects carries what the applier did to the parts of the backend that
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
	b.metrics.Applied(before, view, applied)
	b.housekeeper.Applied(before, view, applied)
	b.lessor.Applied(applied.Leases)
	b.watches.Wake()
}

func (e applyEffects) Answered(before, view *state.View) { e.b.housekeeper.Answered(before, view) }

// Skipping forgets tokens: users may have changed in the part that is skipped.
func (e applyEffects) Skipping() {
	e.b.auth.simple.Clear()
	e.b.lease.Skipping()
}

func (e applyEffects) Loaded(view *state.View) {
	b := e.b
	b.housekeeper.Loaded(view)
	b.lease.Loaded(view.Seq())
	b.cfg.Published(view)
	b.lessor.Reset(view)
	b.watches.Wake()
}

func (e applyEffects) Fail(err error) { e.b.fail(err) }
