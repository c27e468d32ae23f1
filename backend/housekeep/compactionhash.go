package housekeep

import (
	"context"
	"sync"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// etcd hashes the history while it compacts it, and from then on answers
// HashKV for that very revision with the result: the hash of before, of which
// nothing is left to compute it again. Its members compare these, and so may
// others. So does zkine: each member that meets a compaction in the log
// computes it in the background, from a view. What that needs is not physically
// compacted until it is done. Only calls that ask for the hash wait for it.
//
// As etcd's, they last as long as the process does. What a member met while it
// replayed the log it answers as computed from what there is now.

// compactionHashesKept is how many are kept, the newest; etcd's figure.
const compactionHashesKept = 10

// compactionHashes are those of the latest compactions.
type compactionHashes struct {
	mu sync.Mutex
	// kept is in the order of revisions; those not computed yet come last.
	kept []*compactionHash
	// wake has room for one: there is something to compute.
	wake chan struct{}
}

// compactionHash is what etcd answers for a revision that was compacted at.
type compactionHash struct {
	state.Compaction
	// done is closed once sum and err are known.
	done chan struct{}
	sum  uint32
	// err says that there is none: the history was gone.
	err error
}

func newCompactionHashes() *compactionHashes {
	return &compactionHashes{wake: make(chan struct{}, 1)}
}

// add takes note of compactions, in the order of the log. There is none for
// revision 0: asking for that means the current one. (etcd answers it with the
// hash of nothing from then on.)
func (h *compactionHashes) add(compactions []state.Compaction) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range compactions {
		if c.At > 0 {
			h.kept = append(h.kept, &compactionHash{Compaction: c, done: make(chan struct{})})
		}
	}
	for len(h.kept) > compactionHashesKept {
		// Calls that wait for it are answered as for any other revision.
		h.finish(h.kept[0], 0, state.ErrCompacted)
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// at is the one of a revision; nil if there is none.
func (h *compactionHashes) at(rev revision.Rev) *compactionHash {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.kept {
		if one.At == rev {
			return one
		}
	}
	return nil
}

// next is the oldest that is not computed; nil if all are.
func (h *compactionHashes) next() *compactionHash {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pending()
}

func (h *compactionHashes) pending() *compactionHash {
	for _, one := range h.kept {
		select {
		case <-one.done:
		default:
			return one
		}
	}
	return nil
}

// limit is up to where history may be physically compacted, of what is below a
// compaction floor.
func (h *compactionHashes) limit(floor revision.Rev) revision.Rev {
	if one := h.next(); one != nil {
		return min(floor, one.Before)
	}
	return floor
}

// computed ends the computation of one.
func (h *compactionHashes) computed(one *compactionHash, sum uint32, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.finish(one, sum, err)
}

// finish is computed, under mu. One without a hash is not kept.
func (h *compactionHashes) finish(one *compactionHash, sum uint32, err error) {
	select {
	case <-one.done: // given up
	default:
		one.sum, one.err = sum, err
		close(one.done)
	}
	if err == nil {
		return
	}
	for i := range h.kept {
		if h.kept[i] == one {
			h.kept = append(h.kept[:i:i], h.kept[i+1:]...)
			return
		}
	}
}

// compactionHashLoop computes. It ends with the Housekeeper.
func (h *Housekeeper) compactionHashLoop() {
	hashes := h.physical.hashes
	for {
		if one := hashes.next(); one != nil {
			sum, err := h.env.View().HashCompaction(one.Compaction)
			hashes.computed(one, sum, err)
			continue
		}
		select {
		case <-hashes.wake:
		case <-h.ctx.Done():
			return
		}
	}
}

// CompactionHash is what etcd answers to HashKV for a revision that was compacted
// at.
type CompactionHash struct {
	// Compaction is what was compacted.
	state.Compaction
	// Sum is the hash of the history from before it.
	Sum uint32
}

// CompactionHash is what was computed when the revision was compacted at, nil if
// there is none. It waits for what is under way. Errors: the cause of the
// Housekeeper's end, the cause of ctx's.
func (h *Housekeeper) CompactionHash(ctx context.Context, rev revision.Rev) (*CompactionHash, error) {
	one := h.physical.hashes.at(rev)
	if one == nil {
		return nil, nil
	}
	select {
	case <-one.done:
	case <-h.ctx.Done():
		return nil, context.Cause(h.ctx)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if one.err != nil {
		return nil, nil
	}
	return &CompactionHash{Compaction: one.Compaction, Sum: one.sum}, nil
}
