package backend

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zkine/zkine/backend/metrics"
	"github.com/zkine/zkine/backend/readlease"
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
	// revision.ErrLogLost. Every zkine on the root is to stop, unless a person has decided
	// about that since: then the result, which is err, wraps revision.ErrAccepted as well.
	Distrust(err error) error
}

// applier applies slots in order. Only the holder of mu touches the machine, takes
// slots from the log, and publishes views. That is the loop, or, for a slot of this
// zkine's own that is the next one, the goroutine that has learnt of it: see applyOwn.
//
// Ordering, for each slot: evaluate; publish the view; tell the lessor; wake
// watchers and readers; answer clients. A client that has its answer finds its
// write in every view.
type applier struct {
	log        Source
	slots      readlease.Taker // the log's, behind the gate
	checkpoint loader
	// view is the published one.
	view     *atomic.Pointer[state.View]
	pending  *pending
	applied  *applyWait
	lease    *readlease.Holder
	effects  effects
	metrics  *metrics.Metrics
	physical physical
	// stopped is set when the backend has failed: nothing more is applied.
	stopped atomic.Bool

	mu      readlease.Lock
	machine *state.Machine
	more    bool   // to compact physically
	wake    func() // has the loop look again; nil while it waits for nothing
}

// physicalStep is how many versions are physically compacted after each slot:
// more than a slot of updates leaves behind, and too little to be felt.
const physicalStep = 1024

// loop applies slots until ctx ends. After the first error of the log nothing can
// be trusted: then the backend fails.
func (a *applier) loop(ctx context.Context) {
	idle := 1 // doubles with each time that no slot came
	for ctx.Err() == nil {
		err := a.step(ctx, time.Duration(idle)*idleTime)
		a.mu.Lock()
		switch {
		case err == nil:
			idle = 1
		case errors.Is(err, errIdle):
			a.more = a.compactPhysically(idle)
			idle = min(2*idle, a.idleMost())
		case errors.Is(err, revision.ErrTrimmed):
			if err := a.reload(ctx); err != nil {
				if errors.Is(err, revision.ErrLogLost) {
					err = a.log.Distrust(err)
				}
				a.effects.Fail(err)
			}
		default:
			a.effects.Fail(err)
		}
		a.mu.Unlock()
	}
}

// step waits for the next slot and applies it. Its errors are those of Next, and
// errIdle.
func (a *applier) step(ctx context.Context, idle time.Duration) error {
	ctx, done := a.waiting(ctx, idle)
	defer done()
	if err := a.slots.Await(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped.Load() {
		return nil
	}
	if slot, here := a.slots.Take(); here {
		a.take(slot)
	}
	return nil
}

// waiting bounds a wait for the next slot, while there is something to compact, and
// lets others end it.
func (a *applier) waiting(ctx context.Context, idle time.Duration) (_ context.Context, done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.more {
		ctx, cancel := context.WithTimeoutCause(ctx, idle, errIdle)
		return ctx, cancel
	}
	ctx, cancel := context.WithCancelCause(ctx)
	a.wake = func() { cancel(errIdle) }
	return ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.wake = nil
		cancel(nil)
	}
}

// take is the one place in which a slot that was taken from the log is applied. The
// lock is held.
func (a *applier) take(slot revision.Slot) {
	a.apply(slot)
	a.more = a.compactPhysically(1)
}

// applyOwn applies the slot of a batch of one's own, if it is the next, on the
// goroutine that has learnt of it, so that the loop need not be woken. Unless the lock
// is held: then, and if it is not the next, the loop comes to it.
func (a *applier) applyOwn(nonce revision.Nonce) {
	if !a.mu.TryLock() {
		return
	}
	defer a.mu.Unlock()
	if a.stopped.Load() {
		return
	}
	slot, here := a.slots.TakeOwn(nonce)
	if !here {
		return
	}
	if a.take(slot); a.more && a.wake != nil {
		a.wake()
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
	a.metrics.Applying(came)
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
	a.lease.Applied(slot)
	a.log.Applied(slot.Seq, view.Rev())
	a.effects.Published(before, view, applied)
	a.applied.reached(slot.Seq)
	if !applied.Duplicate {
		a.pending.answer(slot.Nonce, slot.Seq, applied.Results, came)
	}
	a.effects.Answered(before, view)
}

// start begins with a machine that has applied nothing or was restored.
func (a *applier) start(m *state.Machine) {
	a.machine = m
	m.OnEvaluated(a.metrics.Evaluated)
	v := m.View()
	a.view.Store(v)
	a.effects.Loaded(v)
	a.applied.reached(v.Seq())
}
