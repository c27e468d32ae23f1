package backend

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Source is what the apply loop needs of the log: the slots, and the checkpoint
// before them.
type Source interface {
	// Checkpoint is the stored state after which Next begins; false if Next
	// begins with the first slot there ever was.
	Checkpoint() (*revision.Checkpoint, bool)

	// Backlog is how many slots Next has still to return, as far as the server
	// knows that is asked.
	Backlog(ctx context.Context) (int64, error)

	// Next blocks until the slot after the last returned one is known, and
	// returns it. One goroutine calls it. An error other than ctx's is final:
	// the log cannot be trusted any further.
	Next(ctx context.Context) (revision.Slot, error)

	// Applied tells the log how far the state has come: the slot at seq is
	// applied and the store is at rev. Called by the caller of Next, after
	// each slot.
	Applied(seq revision.Seq, rev revision.Rev)

	// Reload makes Next go on after the newest checkpoint, once Next has
	// returned revision.ErrTrimmed: the slots it should return are gone.
	Reload(ctx context.Context) error

	// Distrust ends the log because the state shows that it went back: err wraps
	// revision.ErrLogLost. Every zkine on the root is to stop.
	Distrust(err error)
}

// applier applies slots in order. Only its loop touches the machine, and only it
// publishes views.
//
// Ordering, for each slot: evaluate; publish the view; tell the lessor; wake
// watchers and readers; answer clients. A client that has its answer finds its
// write in every view.
type applier struct {
	log        Source
	checkpoint loader
	machine    *state.Machine
	// view is the published one.
	view     *atomic.Pointer[state.View]
	pending  *pending
	applied  *applyWait
	effects  effects
	physical physical
}

// effects is what the apply loop tells the rest of the backend, on its own
// goroutine: none of the calls may wait for anything but a lock.
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

// physicalStep is how many versions are physically compacted after each slot:
// more than a slot of updates leaves behind, and too little to be felt.
const physicalStep = 1024

// loop applies slots until ctx ends. After the first error of the log nothing can
// be trusted: then the backend fails.
func (a *applier) loop(ctx context.Context) {
	more := false // to compact physically
	idle := 1     // doubles with each time that no slot came
	for ctx.Err() == nil {
		slot, err := a.next(ctx, more, time.Duration(idle)*idleTime)
		switch {
		case err == nil:
			a.apply(slot)
			more, idle = a.compactPhysically(1), 1
		case errors.Is(err, errIdle):
			more, idle = a.compactPhysically(idle), min(2*idle, a.idleMost())
		case errors.Is(err, revision.ErrTrimmed):
			if err := a.reload(ctx); err != nil {
				if errors.Is(err, revision.ErrLogLost) {
					a.log.Distrust(err)
				}
				a.effects.Fail(err)
			}
		default:
			a.effects.Fail(err)
		}
	}
}

// errIdle says that no slot has come for a moment.
var errIdle = errors.New("backend: no slot")

// idleTime is how long no slot must have come for the apply loop to free memory in
// between, at first. It grows up to idleMost times as long, since what the log
// reads is cut off then, and has to get through on the slowest ensemble, too.
const (
	idleTime = 10 * time.Millisecond
	idleMost = 64
)

// awaitedFactor is how much more is freed at once, and how much sooner, while
// a caller waits for it: some hundred thousand versions a second.
const awaitedFactor = 8

// idleMost is idleMost, or less while a caller waits.
func (a *applier) idleMost() int {
	if a.physical.Awaited() {
		return idleMost / awaitedFactor
	}
	return idleMost
}

func (a *applier) next(ctx context.Context, more bool, idle time.Duration) (revision.Slot, error) {
	if !more {
		return a.log.Next(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, idle, errIdle)
	defer cancel()
	return a.log.Next(ctx)
}

// compactPhysically frees some of what lies below the compaction floor, in so many steps.
// It says whether there is more to do.
func (a *applier) compactPhysically(steps int) (more bool) {
	if a.physical.Held() {
		return a.machine.View().CompactRev() > a.physical.Floor()
	}
	if a.physical.Awaited() {
		steps *= awaitedFactor
	}
	floor := a.view.Load().CompactRev()
	to := a.physical.Limit(floor)
	if more = a.machine.CompactPhysicallyTo(to, steps*physicalStep) || to < floor; !more {
		a.physical.Reached(floor)
	}
	return more
}

func (a *applier) apply(slot revision.Slot) {
	came := time.Now()
	before := a.view.Load()
	if slot.Seq.Segment > before.Seq().Segment && before.Seq().Segment > 0 {
		a.effects.SegmentEnded(before)
	}
	applied := a.machine.ApplyFor(slot, a.pending.wanted(slot.Nonce))
	for _, r := range applied.Results {
		if errors.Is(r.Err, state.ErrUnknownRequest) {
			a.effects.Fail(fmt.Errorf("%w: the slot at %v holds a request of a kind unknown to this zkine; upgrade it",
				revision.ErrNewerFormat, slot.Seq))
			return
		}
	}
	a.effects.Evaluated(applied)
	view := a.machine.View()
	a.view.Store(view)
	a.log.Applied(slot.Seq, view.Rev())
	a.effects.Published(before, view, applied)
	a.applied.reached(slot.Seq)
	if !applied.Duplicate {
		a.pending.answer(slot.Nonce, applied.Results, came)
	}
	a.effects.Answered(before, view)
}

// start begins with a machine that has applied nothing or was restored.
func (a *applier) start(m *state.Machine) {
	a.machine = m
	v := m.View()
	a.view.Store(v)
	a.effects.Loaded(v)
	a.applied.reached(v.Seq())
}

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
