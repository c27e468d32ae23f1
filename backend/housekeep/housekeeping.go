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
		h.warn(err, "the log was not packed and trimmed, or no checkpoint written; it is tried again with the next segment")
	}
}

// warn says what went wrong, now and then.
func (h *Housekeeper) warn(err error, text string) {
	if left, ok := h.said.Allow(text); ok {
		h.cfg.Log.WithError(err).Warn(text + left)
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
	err := h.agreed(ctx, from, haveReported)
	if err == nil {
		if err = h.trimAndPack(ctx); !errors.Is(err, ErrUnarchived) {
			h.ran(taskTrim, err)
			return err
		} // else the archive has warned
	}
	h.ran(taskTrim, err)
	return h.pack(ctx)
}

// archiveLoop archives, if this member is the keeper.
func (h *Housekeeper) archiveLoop() { h.cfg.Archive.Run(h.ctx, h.IsKeeper) }

// crampedWait is for how long an archive is waited for where there is little room.
const crampedWait = 5 * time.Second

// archived says whether what a checkpoint covers may go: it is in the archive, or there is
// no room to wait long for that.
func (h *Housekeeper) archived(ctx context.Context) bool {
	newest := h.env.Store.Newest()
	if h.cfg.Archive == nil || newest.Segment == 0 {
		return true
	}
	if !h.env.Quota.Cramped() {
		return h.cfg.Archive.Covers(ctx, newest.Segment)
	}
	within, cancel := context.WithTimeout(ctx, crampedWait)
	defer cancel()
	h.cfg.Archive.Covers(within, newest.Segment)
	return true
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
	if !h.archived(ctx) {
		return ErrUnarchived
	}
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
		if err := h.agreed(ctx, read, haveReported); err != nil {
			h.Measure(ctx)
			return err
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
