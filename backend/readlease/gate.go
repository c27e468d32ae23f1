package readlease

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
)

// Source is where a Gate takes slots from; backend.Source has the contract.
type Source interface {
	Next(ctx context.Context) (revision.Slot, error)
	Reload(ctx context.Context) error
}

// Taker has the two halves of Next, so that the goroutine that learns of a slot can
// take it.
//
// Await returns once the next slot can be taken, with Next's errors; one goroutine calls
// it. Take returns that slot, false if it is not here; TakeOwn takes only one with that
// nonce. Any goroutine may call them, one at a time. A slot that was appended can be
// taken when the append's outcome is told; what is left after that wakes Await.
type Taker interface {
	Await(ctx context.Context) error
	Take() (revision.Slot, bool)
	TakeOwn(nonce revision.Nonce) (revision.Slot, bool)
}

// Gate holds slots back until all whose reads count have seen them: the holder of
// the read lease, if that is another zkine, while the lease may be valid.
//
// Invariants, under mu: held is what follows, in the log, on the slot that was
// returned last. A slot in it behind an effective record of another holder is free
// only if a later batch of that holder has seen it, or if the lease was taken over
// later; else it is returned once that record, the last one before it, has run out.
//
// Next, Await and Reload are for one goroutine; the other methods for any.
type Gate struct {
	source Source
	taker  Taker // of the same source
	clock  Clock
	// own says whether a holder is this zkine.
	own func(holder uint64) bool

	mu    Lock
	chain chain
	// holder has the lease behind the slot that was taken last, until a moment that
	// any goroutine may ask for.
	holder uint64
	until  atomic.Int64

	held  []heldSlot
	bytes int
	// waited is for how long slots were held back, all added up, in nanoseconds.
	waited atomic.Int64
}

// heldSlot is a slot that waits, or that stands behind one.
type heldSlot struct {
	revision.Slot
	bytes int
	came  time.Duration
	free  bool
	// holder has to see it, until a moment.
	holder uint64
	until  time.Duration
}

// What is held at most. What comes behind stays in the log.
const (
	maxHeld      = 1024
	maxHeldBytes = 32 << 20
)

// NewGate stands before the first slot of a source.
func NewGate(source Source, clock Clock, own func(holder uint64) bool) *Gate {
	taker, ok := source.(Taker)
	if !ok {
		taker = &halves{source: source}
	}
	return &Gate{mu: NewLock(), source: source, taker: taker, clock: clock, own: own}
}

// errRanOut says that the first slot that is held need not wait any longer.
var errRanOut = errors.New("readlease: the lease has run out")

// Next returns the slot after the one that it returned last, once it may be
// applied. Errors: those of the source; the cause of ctx's end.
func (g *Gate) Next(ctx context.Context) (revision.Slot, error) {
	for {
		if slot, here := g.Take(); here {
			return slot, nil
		}
		if err := g.Await(ctx); err != nil {
			return revision.Slot{}, err
		}
	}
}

// Await returns once Take may have a slot to return, with Next's errors. While a slot
// is held back it takes later ones, which may set it free.
func (g *Gate) Await(ctx context.Context) error {
	for {
		left, waits, full := g.first()
		switch {
		case !waits:
			return g.taker.Await(ctx)
		case left <= 0:
			return nil
		}
		if err := g.lookAhead(ctx, left, full); err != nil {
			return err
		}
	}
}

// first says whether a slot is held, for how long at most it is to wait, and whether
// no more may be held.
func (g *Gate) first() (left time.Duration, waits, full bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.held) == 0 {
		return 0, false, false
	}
	if !g.held[0].free {
		left = g.held[0].until - g.clock()
	}
	return left, true, len(g.held) >= maxHeld || g.bytes >= maxHeldBytes
}

// lookAhead takes one more slot, which may set held ones free, or lets the time
// pass that is left until the first of them is.
func (g *Gate) lookAhead(outer context.Context, left time.Duration, full bool) error {
	ctx, cancel := context.WithTimeoutCause(outer, left, errRanOut)
	defer cancel()
	if full {
		<-ctx.Done()
		return context.Cause(outer) // nil unless that has ended
	}
	err := g.taker.Await(ctx)
	if err == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		if slot, here := g.taker.Take(); here {
			g.hold(g.admit(slot))
		}
	}
	if errors.Is(err, errRanOut) {
		return nil
	}
	return err
}

// Take returns the next slot, if it is here and may be applied.
func (g *Gate) Take() (revision.Slot, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.held) == 0 {
		slot, here := g.taker.Take()
		if !here {
			return slot, false
		}
		one := g.admit(slot)
		if one.free {
			return slot, true
		}
		g.hold(one)
	}
	if now := g.clock(); g.held[0].free || now >= g.held[0].until {
		return g.release(now), true
	}
	return revision.Slot{}, false
}

// TakeOwn is Take for a slot with that nonce alone, and where nothing has to be held
// back: what another one has to see goes by Await, which watches the time.
func (g *Gate) TakeOwn(nonce revision.Nonce) (revision.Slot, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.held) > 0 || g.holder != 0 && !g.own(g.holder) && g.clock() < time.Duration(g.until.Load()) {
		return revision.Slot{}, false
	}
	slot, here := g.taker.TakeOwn(nonce)
	if here {
		g.admit(slot)
	}
	return slot, here
}

// admit goes on to a slot that was taken from the source, and says what it waits
// for. It sets free what the slot's writer has seen. The lock is held.
func (g *Gate) admit(slot revision.Slot) heldSlot {
	one := heldSlot{Slot: slot, holder: g.holder, until: time.Duration(g.until.Load())}
	l := slot.Lease
	one.free = g.holder == 0 || g.own(g.holder) || l != nil && l.Holder == g.holder || g.clock() >= one.until
	if l == nil {
		return one
	}
	taken := false
	if g.chain.next(&one.Slot) {
		taken = l.Holder != g.holder
		g.holder = l.Holder
		g.until.Store(int64(g.clock() + wait))
	}
	// The one that takes the lease over has seen it run out.
	one.free = one.free || taken
	for i := range g.held {
		h := &g.held[i]
		h.free = h.free || taken || h.holder == l.Holder && !l.Seen.Before(h.Seq)
	}
	return one
}

func (g *Gate) hold(one heldSlot) {
	for _, r := range one.Requests {
		one.bytes += proto.Size(r)
	}
	one.came = g.clock()
	g.bytes += one.bytes
	g.held = append(g.held, one)
}

// release takes the first slot out of held.
func (g *Gate) release(now time.Duration) revision.Slot {
	first := g.held[0]
	g.bytes -= first.bytes
	g.waited.Add(int64(now - first.came))
	g.held[0] = heldSlot{}
	if g.held = g.held[1:]; len(g.held) == 0 {
		g.held = nil
	}
	return first.Slot
}

// Reload goes on after the newest checkpoint, whose leases have all run out. What is
// held lies before it.
func (g *Gate) Reload(ctx context.Context) error {
	g.mu.Lock()
	g.held, g.bytes, g.chain, g.holder = nil, 0, chain{}, 0
	g.mu.Unlock()
	return g.source.Reload(ctx)
}

// RanOut returns once all records have run out that were taken from the source by
// now. Error: the cause of ctx's end.
func (g *Gate) RanOut(ctx context.Context) error {
	until := time.Duration(g.until.Load())
	for until > 0 {
		left := until - g.clock()
		if left <= 0 {
			break
		}
		select {
		case <-time.After(left):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Waited is for how long slots were held back so far.
func (g *Gate) Waited() time.Duration { return time.Duration(g.waited.Load()) }
