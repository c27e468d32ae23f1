package backend

import (
	"context"

	"github.com/zkine/zkine/backend/state"
)

// View is the published view, for tests that compare whole states.
func (b *Backend) View() *state.View { return b.view.Load() }

// BeginRound logs a mark at once, whoever the keeper is.
func (b *Backend) BeginRound(ctx context.Context) { b.mark(ctx) }

// Queued is how many requests wait to be appended, and how many bytes they take.
func (b *Backend) Queued() (count, bytes int) { return b.proposer.queue.load() }

// MaxQueuedBytes bounds the latter.
const MaxQueuedBytes = maxQueuedBytes

// UnderWay is how many batches were handed to the log and not answered yet.
func (b *Backend) UnderWay() int {
	b.proposer.pending.mu.Lock()
	defer b.proposer.pending.mu.Unlock()
	return len(b.proposer.pending.batches)
}

// BoundReplay does what the housekeeping loop does now and then, as if so many
// keys were too many to compare.
func (b *Backend) BoundReplay(ctx context.Context, limit int64) {
	b.replay.limit.Store(limit)
	b.boundReplay(ctx)
}

// ScavengedTo is the floor down to which memory was given back.
func (b *Backend) ScavengedTo() int64 { return int64(b.scavenged.floor()) }
