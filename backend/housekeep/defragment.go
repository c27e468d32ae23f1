package housekeep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// A defragmentation is housekeeping that does not wait for the log to grow: after
// a physical compaction, and for Defragment. Whichever member is asked does it,
// keeper or not, in these steps:
//
//	seal the open segment, and checkpoint the state at its end
//	let that one be the previous one too, so that nothing before it is needed
//	remove the log that it covers; pack what is sealed
//
// Normally what was there before a checkpoint goes with the next one. A member
// that is just starting from what goes starts from the newest checkpoint
// instead.
//
// A call may rely on it that all is gone that was compacted before the call. So a
// defragmentation serves the calls from before it sealed the segment; and nothing
// is done if an earlier one, of any member, has left nothing that is worth it.

// wish is a call's for a defragmentation, and gets the outcome. It has room for
// it.
type wish chan error

// wishes are those that no defragmentation has begun to serve.
type wishes struct {
	mu   sync.Mutex
	list []wish
	wake chan struct{} // has something in it while there may be some
}

func (w *wishes) add(one wish) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, one)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *wishes) take() []wish {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

// Defragment packs and checkpoints everything now, and removes the rest. It
// returns when that is done. If ctx ends, it is done all the same. Errors:
// ErrUnconfirmed, if not all members agree about the state in time; ErrUnarchived; those of
// Store; the cause of the Housekeeper's end, the cause of ctx's.
func (h *Housekeeper) Defragment(ctx context.Context) error {
	defer h.physical.await()()
	one := make(wish, 1)
	h.wishes.add(one)
	select {
	case err := <-one:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.ctx.Done():
		return context.Cause(h.ctx)
	}
}

// defragmentFor serves wishes. It is called by the housekeeping loop.
func (h *Housekeeper) defragmentFor(wishes []wish) {
	if len(wishes) == 0 {
		return
	}
	var err error
	done := h.cfg.Defragmenting()
	if !h.isDefragmented(h.ctx) {
		err = h.defragment(h.ctx)
	}
	done(err)
	h.ran(taskDefragment, err)
	if err != nil && h.ctx.Err() == nil { // no call may wait for it
		h.warn(err, "a defragmentation failed: what it would have freed stays in ZooKeeper")
	}
	for _, one := range wishes {
		one <- err
	}
}

const (
	// stepTimeout is how long a step of a defragmentation waits for the log.
	stepTimeout = time.Minute
	// shortLog is how many bytes of log after the newest checkpoint are not worth a
	// defragmentation, or one shortLogShare-th of the checkpoint.
	shortLog      = 64 << 10
	shortLogShare = 16
	// fewNeedless is how many bytes that no member needs are not.
	fewNeedless = 4 << 10
)

// isDefragmented says whether a defragmentation would change next to nothing:
// nothing was compacted since the newest checkpoint, what it made needless is
// gone, and little was logged.
func (h *Housekeeper) isDefragmented(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	// What others have done before shows after a barrier.
	if h.env.CatchUp(ctx) != nil || h.env.Store.Measure(ctx) != nil {
		return false
	}
	newest, sizes := h.env.Store.Newest(), h.env.Store.Sizes()
	return newest.Alone && h.floorMoved.Load() <= newest.Segment &&
		sizes.Total()-sizes.Live <= fewNeedless && sizes.Live-newest.Bytes <= max(newest.Bytes/shortLogShare, shortLog)
}

func (h *Housekeeper) defragment(ctx context.Context) error {
	h.wantSegmentEnds.Store(true)
	defer h.wantSegmentEnds.Store(false)
	if h.Measure(ctx); h.env.Quota.Cramped() { // first make room
		if err := h.cleanUpNow(ctx); err != nil {
			return err
		}
	}
	v, err := h.seal(ctx)
	if errors.Is(err, revision.ErrQuota) {
		// What only removes, ZooKeeper permits; that may make room.
		h.makeRoom(ctx)
		v, err = h.seal(ctx)
	}
	if err != nil {
		return err
	}
	read, err := h.checkpoint(ctx, v)
	h.physical.Release()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := h.keepNewest(ctx, v.Seq().Segment, read); err != nil {
		return err
	}
	return h.trimAndPack(ctx)
}

// seal ends the open segment and returns the view at its end, which holds physical
// compaction.
func (h *Housekeeper) seal(ctx context.Context) (*state.View, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTimeout, fmt.Errorf("%w: the segment could not be sealed in time", revision.ErrUnavailable))
	defer cancel()
	// A record before, so that the segment is not empty, and one after, whose
	// slot shows the apply loop that the segment is over.
	if err := h.proposeNothing(ctx); err != nil {
		return nil, err
	}
	segment := h.env.View().Seq().Segment
	if err := h.env.Store.Seal(ctx, segment); err != nil {
		return nil, err
	}
	if err := h.proposeNothing(ctx); err != nil {
		return nil, err
	}
	for {
		select {
		case v := <-h.segmentEnds:
			if v.Seq().Segment >= segment {
				return v, nil
			}
			h.physical.Release() // from before the segment
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
