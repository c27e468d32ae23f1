package backend

import (
	"context"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/recordpb"
)

// View is the published view, for tests that compare whole states.
func (b *Backend) View() *state.View { return b.view.Load() }

// BeginRound logs a mark at once, whoever the keeper is.
func (b *Backend) BeginRound(ctx context.Context) {
	b.proposer.proposeAll(ctx, []*recordpb.Request{{Kind: &recordpb.Request_DigestMark{DigestMark: &recordpb.DigestMark{}}}})
}

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

// BoundReplay does what the housekeeping loop does now and then.
func (b *Backend) BoundReplay(ctx context.Context) { b.housekeeper.BoundReplay(ctx) }

// CompactedTo is the floor down to which memory was given back.
func (b *Backend) CompactedTo() int64 { return int64(b.housekeeper.Physical().Floor()) }
