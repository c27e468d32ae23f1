package backend

import (
	"cmp"
	"context"
	"sync/atomic"
)

// What a start replays is bounded by how many bytes of log there are since the
// last checkpoint. Comparisons over ranges cost more than their bytes, and need
// not change anything: when they have looked at very many keys, the keeper ends
// the segment, and the checkpoint at its end is due whatever it is long.

// maxCompared is how many keys comparisons may have looked at since the last
// checkpoint: ten seconds of a start or less.
const maxCompared = 64 << 20

// replayCost is what a start would have to do besides what the log's size tells.
type replayCost struct {
	// compared counts keys since the beginning; ended is that at the end of the
	// last segment, and covered at the end of the newest checkpoint.
	compared, ended, covered atomic.Int64
	// limit is maxCompared, unless a test has set it.
	limit atomic.Int64
}

func (c *replayCost) due() bool {
	return c.compared.Load()-c.covered.Load() > cmp.Or(c.limit.Load(), maxCompared)
}

// segmentEnded notes that all so far is in the segments that are over.
func (c *replayCost) segmentEnded() { c.ended.Store(c.compared.Load()) }

// boundReplay ends the segment if a start has become dear, for a checkpoint. The
// slot that follows begins the next one: that is a mark, if nobody writes
// anything. Called by the housekeeping loop, which tries again.
func (b *Backend) boundReplay(ctx context.Context) {
	if !b.replay.due() || !b.keeper.isSelf() {
		return
	}
	if err := b.log.Seal(ctx, b.view.Load().Seq().Segment); err != nil {
		return
	}
	b.mark(ctx)
}
