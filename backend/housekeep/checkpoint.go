package housekeep

import (
	"context"
	"errors"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// checkpointIfDue writes the view at the end of a segment, if the log since the
// last checkpoint is long or takes long to replay. It returns the place in the log
// from which on members that agree vouch for what was written: that at which all
// of it was read from memory. If nothing was written, that is here.
func (h *Housekeeper) checkpointIfDue(ctx context.Context, v *state.View) (read revision.Seq, err error) {
	segment := v.Seq().Segment
	if segment == 0 || !h.replay.due() && !h.env.Store.CheckpointDue(segment) {
		return h.here(ctx)
	}
	return h.checkpoint(ctx, v)
}

// checkpoint is checkpointIfDue for a checkpoint that is due whatever it costs.
func (h *Housekeeper) checkpoint(ctx context.Context, v *state.View) (read revision.Seq, err error) {
	segment := v.Seq().Segment
	if segment == 0 {
		return h.here(ctx)
	}
	began, covers := time.Now(), h.replay.ended.Load()
	meta, err := v.CheckpointMeta()
	if err != nil {
		return read, err
	}
	// Members that start will load it: a state that is wrong in this zkine's
	// memory only must not become theirs. So another has to confirm it, once all
	// was read from memory and before the checkpoint counts.
	keys := func(yield func([]byte) bool) error {
		if err := v.LendCheckpointKeys(yield); err != nil {
			return err
		}
		read = h.env.View().Seq()
		return h.agreed(ctx, read, h.confirmed)
	}
	err = h.env.Store.SaveCheckpoint(ctx, segment, v.Rev(), meta, keys, h.newPacer().wait)
	h.ran(taskCheckpoint, err)
	if err == nil || errors.Is(err, revision.ErrNotNeeded) {
		h.replay.covered.Store(covers)
	}
	if errors.Is(err, revision.ErrNotNeeded) {
		return h.here(ctx)
	}
	if err == nil {
		h.cfg.Log.WithFields(logrus.Fields{"segment": segment, "revision": v.Rev(), "took": time.Since(began).Round(time.Millisecond)}).
			Info("wrote a checkpoint")
	}
	return read, err
}

// here is a place in the log after all that any member has done so far: that at
// which another one has read the checkpoint from memory of which is known, too.
// The view alone may lag behind it.
func (h *Housekeeper) here(ctx context.Context) (revision.Seq, error) {
	if err := h.env.CatchUp(ctx); err != nil {
		return revision.Seq{}, err
	}
	return h.env.View().Seq(), nil
}
