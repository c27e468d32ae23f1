package backend

import (
	"context"
	"time"

	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/backend/lessor"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// newHousekeeper gives a Housekeeper what it needs of the backend. Until Start it
// asks for nothing, so that parts of the backend may not be there yet.
func newHousekeeper(b *Backend, log Log) *housekeep.Housekeeper {
	return housekeep.New(b.ctx, housekeep.Config{
		Self:           b.cfg.Member.ID,
		DigestInterval: b.cfg.DigestInterval,
		AutoCompaction: b.cfg.AutoCompaction,
		ReplayLimit:    b.cfg.ReplayLimit,
		Held:           b.cfg.Held,
		Archive:        b.cfg.Archive,
		Defragmenting:  b.metrics.Defragment,
		Registerer:     b.cfg.Registerer,
		Log:            b.cfg.Log,
	}, housekeep.Env{
		View:    b.view.Load,
		CatchUp: func(ctx context.Context) error { return b.reads.wait(ctx) },
		Propose: func(ctx context.Context, r *recordpb.Request) error {
			_, err := b.proposer.propose(ctx, r)
			return err
		},
		TendLeases: b.tendLeases,
		Drained:    func() bool { return b.proposer.queue.drained() },
		Fail:       b.fail,
		Store:      log,
		Members:    log,
		Quota:      b.quota,
	})
}

// CompactedPhysically returns once all is gone from memory that a compaction at a
// revision made unreadable; see housekeep.Housekeeper.CompactedPhysically.
func (b *Backend) CompactedPhysically(ctx context.Context, rev int64) error {
	return b.housekeeper.CompactedPhysically(ctx, revision.Rev(rev))
}

// Defragment packs and checkpoints everything now, and removes the rest; see
// housekeep.Housekeeper.Defragment.
func (b *Backend) Defragment(ctx context.Context) error { return b.housekeeper.Defragment(ctx) }

// ConfirmLeader finds out whether the member that Status names as the leader
// lives, or which one does; see housekeep.Housekeeper.ConfirmLeader. It returns at
// once without ZooKeeper.
func (b *Backend) ConfirmLeader(ctx context.Context) {
	if b.housekeeper.IsKeeper() || b.Ready() != nil {
		return
	}
	b.housekeeper.ConfirmLeader(ctx)
}

// tendLeases keeps the service clock going while there are leases, with a quorum
// write at least each housekeep.Tick, well below lessor.MaxTick. It proposes
// expiries, and as the keeper notes of what remains of long leases.
func (b *Backend) tendLeases(ctx context.Context) {
	idle, leases := b.lessor.Idle(time.Now())
	if leases == 0 {
		return
	}
	if idle > housekeep.Tick/2 {
		b.reads.wait(ctx) //nolint:errcheck // without a quorum, no time passes
	}
	overdue := lessor.Overdue
	if b.housekeeper.IsKeeper() {
		overdue = 0
	}
	b.proposer.proposeAll(ctx, b.lessor.Expiries(overdue))
	if b.housekeeper.IsKeeper() {
		b.proposer.proposeAll(ctx, b.lessor.Notes())
	}
}
