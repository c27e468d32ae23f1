package housekeep

import (
	"context"
	"sync/atomic"
)

// What a start replays is bounded by how many bytes of log there are since the
// last checkpoint. Comparisons over ranges cost more than their bytes, and need
// not change anything: when they have looked at very many keys, the keeper ends
// the segment, and the checkpoint at its end is due however short the log is.

// DefaultReplayLimit is ten seconds of a start or less, in keys that comparisons
// have looked at.
const DefaultReplayLimit = 64 << 20

// replayCost is what a start would have to do besides what the log's size tells.
type replayCost struct {
	// limit is Config.ReplayLimit.
	limit int64
	// compared counts keys since the beginning; ended is that at the end of the
	// last segment, and covered at the end of the newest checkpoint.
	compared, ended, covered atomic.Int64
}

func (c *replayCost) due() bool { return c.compared.Load()-c.covered.Load() > c.limit }

// segmentEnded notes that all so far is in the segments that are over.
func (c *replayCost) segmentEnded() { c.ended.Store(c.compared.Load()) }

// BoundReplay ends the segment if a start has become expensive, for a checkpoint.
// The slot that follows begins the next segment: a mark, in case no client writes
// anything. The housekeeping loop calls it now and then, and tries again.
func (h *Housekeeper) BoundReplay(ctx context.Context) {
	if !h.replay.due() || !h.keeper.isSelf() {
		return
	}
	if err := h.env.Store.Seal(ctx, h.env.View().Seq().Segment); err != nil {
		return
	}
	h.mark(ctx)
}
