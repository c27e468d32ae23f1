package housekeep

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/zkine/zkine/revision"
)

// A compaction moves the compaction floor at once: what is below it cannot be
// read any more. The apply loop then frees the memory of it bit by bit, which is
// the physical compaction, except for what is still being read by something that
// holds an older view.

// PhysicalCompaction is the floor down to which memory was freed, what must stay
// for now, and the calls that wait for it to rise.
type PhysicalCompaction struct {
	// holds counts those that read an older view as a whole: digests and
	// checkpoints. While there are any, nothing is freed.
	holds atomic.Int32
	// awaited counts the calls that wait for memory or for space in ZooKeeper to
	// be given back. While there are any, neither kind of work rests.
	awaited atomic.Int32
	// hashes are computed from what is below the floor.
	hashes *compactionHashes

	mu    sync.Mutex
	floor revision.Rev
	// raised is closed and replaced when floor rises.
	raised chan struct{}
}

func newPhysicalCompaction() *PhysicalCompaction {
	return &PhysicalCompaction{hashes: newCompactionHashes(), raised: make(chan struct{})}
}

// Hold keeps memory from being freed until Release, for one that reads an older
// view as a whole.
func (p *PhysicalCompaction) Hold() { p.holds.Add(1) }

// Release ends one Hold.
func (p *PhysicalCompaction) Release() { p.holds.Add(-1) }

// Held says whether nothing may be freed at present.
func (p *PhysicalCompaction) Held() bool { return p.holds.Load() > 0 }

// Awaited says whether a call waits for what is given back.
func (p *PhysicalCompaction) Awaited() bool { return p.awaited.Load() > 0 }

// await counts a call that waits until done.
func (p *PhysicalCompaction) await() (done func()) {
	p.awaited.Add(1)
	return func() { p.awaited.Add(-1) }
}

// Limit is up to where memory may be freed, of what is below a compaction floor.
func (p *PhysicalCompaction) Limit(floor revision.Rev) revision.Rev { return p.hashes.limit(floor) }

// Floor is the compaction floor down to which memory was freed.
func (p *PhysicalCompaction) Floor() revision.Rev {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.floor
}

// Reached notes that memory was freed down to a compaction floor. It is the apply
// loop's.
func (p *PhysicalCompaction) Reached(floor revision.Rev) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if floor > p.floor {
		p.floor = floor
		close(p.raised)
		p.raised = make(chan struct{})
	}
}

// look says whether the floor is at or above rev, and what is closed when it
// rises.
func (p *PhysicalCompaction) look(rev revision.Rev) (reached bool, raised <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.floor >= rev, p.raised
}

// CompactedPhysically returns once all is gone from memory that a compaction at a
// revision made unreadable, which is when etcd's is gone from its backend; it does
// not compact. What ZooKeeper holds of it, which no client can reach, is removed
// next. Errors: the cause of the Housekeeper's end, the cause of ctx's.
func (h *Housekeeper) CompactedPhysically(ctx context.Context, rev revision.Rev) error {
	defer h.physical.await()()
	for {
		reached, raised := h.physical.look(rev)
		if reached {
			h.wishes.add(make(wish, 1))
			return nil
		}
		select {
		case <-raised:
		case <-h.ctx.Done():
			return context.Cause(h.ctx)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
