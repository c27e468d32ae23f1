package housekeep

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Whenever the log has moved on to a new segment, the keeper looks whether it
// has outgrown the last checkpoint, and if so writes the state as it was at the
// end of the segment before; then it lets the log pack what is sealed and
// remove what no member needs any more. All of it is harmless if two do it at
// once, and can end at any step.

// housekeepLoop does slow work: what the keeper does at the end of each segment,
// and the defragmentations that were asked for; and measures what ZooKeeper holds.
// It ends with the Housekeeper.
func (h *Housekeeper) housekeepLoop() {
	ticker := time.NewTicker(measureInterval)
	defer ticker.Stop()
	h.Measure(h.ctx)
	for h.ctx.Err() == nil {
		if h.doDue(ticker.C) {
			continue
		}
		select {
		case <-h.wishes.wake:
			h.defragmentFor(h.wishes.take())
		case v := <-h.segmentEnds:
			h.onSegmentEnd(v)
		case <-ticker.C:
			h.onTick()
		case <-h.ctx.Done():
		}
	}
}

// doDue does all that is due, each once, and says whether anything was. What one
// select would take of several is up to chance, and simulations are to repeat.
func (h *Housekeeper) doDue(tick <-chan time.Time) (was bool) {
	select {
	case <-h.wishes.wake:
		h.defragmentFor(h.wishes.take())
		was = true
	default:
	}
	select {
	case v := <-h.segmentEnds:
		h.onSegmentEnd(v)
		was = true
	default:
	}
	select {
	case <-tick:
		h.onTick()
		was = true
	default:
	}
	return was
}

// onSegmentEnd does what the keeper does at the end of a segment; v is the view
// there.
func (h *Housekeeper) onSegmentEnd(v *state.View) {
	if err := h.housekeep(h.ctx, v); err != nil && h.ctx.Err() == nil {
		h.cfg.Log.WithError(err).Warn("housekeeping is not done; going on with the next segment")
	}
}

// onTick measures what ZooKeeper holds, and does what that shows to be needed.
func (h *Housekeeper) onTick() {
	h.keepRoom(h.ctx)
	h.Measure(h.ctx)
	h.BoundReplay(h.ctx)
	if h.env.Drained() {
		runtime.GC()
	}
}

// housekeep checkpoints the view at the end of a segment, if that is due, and
// cleans up. It ends the view's hold on physical compaction.
func (h *Housekeeper) housekeep(ctx context.Context, v *state.View) error {
	read, err := h.checkpointIfDue(ctx, v)
	h.physical.Release()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return h.cleanUp(ctx, read)
}

// cleanUp packs the log; and before that, if all members agree about the state at
// a place after one in the log, it removes what no member can need any more.
func (h *Housekeeper) cleanUp(ctx context.Context, from revision.Seq) error {
	if h.agreed(ctx, from, haveReported) {
		return h.trimAndPack(ctx)
	}
	return h.pack(ctx)
}

// cleanUpNow is cleanUp from a place after all that was done so far.
func (h *Housekeeper) cleanUpNow(ctx context.Context) error {
	here, err := h.here(ctx)
	if err != nil {
		return h.pack(ctx)
	}
	return h.cleanUp(ctx, here)
}

// trimAndPack removes what no member can need any more, and packs the log. With
// little room left only one checkpoint is kept.
func (h *Housekeeper) trimAndPack(ctx context.Context) error {
	h.Measure(ctx)
	if newest := h.env.Store.Newest(); h.env.Quota.Cramped() && newest.Segment > 0 && !newest.Alone {
		here, err := h.here(ctx)
		if err == nil {
			err = h.keepNewest(ctx, newest.Segment, here)
		}
		if err != nil && !errors.Is(err, ErrUnconfirmed) {
			return err
		}
	}
	err := h.env.Store.TrimAndPack(ctx, h.newPacer().wait)
	h.Measure(ctx)
	return err
}

// pack packs the log, and removes nothing of it.
func (h *Housekeeper) pack(ctx context.Context) error {
	h.Measure(ctx)
	err := h.env.Store.Pack(ctx, h.newPacer().wait)
	h.Measure(ctx)
	return err
}

// keepNewest makes the checkpoint of a segment the only one, once all members
// agree about a place after it was read from memory; or the next one, if another
// member has just written one.
func (h *Housekeeper) keepNewest(ctx context.Context, segment int64, read revision.Seq) error {
	for {
		if !h.agreed(ctx, read, haveReported) {
			h.Measure(ctx)
			return ErrUnconfirmed
		}
		err := h.env.Store.KeepNewest(ctx, segment)
		if !errors.Is(err, revision.ErrNotNeeded) {
			return err
		}
		segment = h.env.Store.Newest().Segment
		if read, err = h.here(ctx); err != nil {
			return err
		}
	}
}
