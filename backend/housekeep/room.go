package housekeep

import (
	"context"
	"errors"
	"time"

	"github.com/zkine/zkine/revision"
)

// measureInterval is how often a member measures what ZooKeeper holds: others
// may have packed and removed.
const measureInterval = 30 * time.Second

// Measure looks how much ZooKeeper holds, and tells the Quota. If that fails, what
// was known before stays.
func (h *Housekeeper) Measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, measureInterval)
	defer cancel()
	err := h.env.Store.Measure(ctx)
	h.ran(taskMeasure, err)
	if err != nil && h.ctx.Err() == nil {
		h.cfg.Log.WithError(err).Debug("could not measure what ZooKeeper holds")
	}
	size := h.env.Store.Sizes().Total()
	h.env.Quota.SetSize(size)
	if h.cfg.Held == nil {
		return
	}
	if held, err := h.cfg.Held(ctx); err == nil {
		h.env.Quota.SetOthers(max(0, held-size))
	} else if h.ctx.Err() == nil {
		h.cfg.Log.WithError(err).Debug("could not ask how much ZooKeeper holds in all")
	}
}

// keepRoom makes room while a quota of ZooKeeper's is used up: the log cannot
// grow then, so that no segment ends.
func (h *Housekeeper) keepRoom(ctx context.Context) {
	if errors.Is(h.env.Store.Refused(), revision.ErrQuota) && h.keeper.isSelf() {
		h.makeRoom(ctx)
	}
}

// makeRoom cleans up under a quota of ZooKeeper's that is used up. What only
// removes, ZooKeeper permits.
func (h *Housekeeper) makeRoom(ctx context.Context) {
	err := h.cleanUpNow(ctx)
	if err != nil && !errors.Is(err, revision.ErrQuota) && ctx.Err() == nil {
		h.warn(err, "a quota of ZooKeeper's is used up, and what is not needed any more could not be removed; trying again")
	}
}
