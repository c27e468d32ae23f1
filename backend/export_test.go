package backend

import (
	"context"

	"github.com/zkine/zkine/backend/state"
)

// View is the published view, for tests that compare whole states.
func (b *Backend) View() *state.View { return b.view.Load() }

// BeginRound logs a mark at once, whoever the keeper is.
func (b *Backend) BeginRound(ctx context.Context) { b.mark(ctx) }

// Copies is how many files of snapshots there are.
func (b *Backend) Copies() int {
	b.copies.mu.Lock()
	defer b.copies.mu.Unlock()
	return len(b.copies.all)
}

// HoldCopies keeps the making of snapshots from beginning until release.
func (b *Backend) HoldCopies() (release func()) {
	b.copies.turn <- struct{}{}
	return func() { <-b.copies.turn }
}

// MaxCopies bounds Copies.
const MaxCopies = maxCopies

// ScavengedTo is the floor down to which memory was given back.
func (b *Backend) ScavengedTo() int64 { return int64(b.scavenged.floor()) }
