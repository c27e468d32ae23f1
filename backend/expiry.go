package backend

import (
	"context"
	"time"

	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/revision/recordpb"
)

const (
	// expireLimit is how many expiries one tick proposes at most.
	expireLimit = 1000
	// noteEvery is how often what remains of a long lease is noted: etcd's
	// lease checkpoint interval.
	noteEvery = 5 * time.Minute
	// overdue is how long after its end any member revokes a lease, in case
	// the keeper is stuck.
	overdue = 15 * time.Second
)

// tendLeases keeps the service clock going while there are leases, with a quorum
// write at least each housekeep.Tick, well below maxTick. It proposes expiries,
// and as the keeper notes of what remains of long leases.
func (b *Backend) tendLeases(ctx context.Context) {
	idle, leases := b.lessor.idle(time.Now())
	if leases == 0 {
		return
	}
	if idle > housekeep.Tick/2 {
		b.reads.wait(ctx) //nolint:errcheck // without a quorum, no time passes
	}
	patience := overdue
	if b.housekeeper.IsKeeper() {
		patience = 0
	}
	b.proposer.proposeAll(ctx, b.expiries(patience))
	if b.housekeeper.IsKeeper() {
		b.proposer.proposeAll(ctx, b.notes())
	}
}

func (b *Backend) expiries(patience time.Duration) (out []*recordpb.Request) {
	for _, d := range b.lessor.expired(patience, expireLimit) {
		out = append(out, &recordpb.Request{Kind: &recordpb.Request_LeaseExpire{
			LeaseExpire: &recordpb.LeaseExpire{Id: d.id, Renewed: d.renewed},
		}})
	}
	return out
}

func (b *Backend) notes() (out []*recordpb.Request) {
	for _, d := range b.lessor.unnoted(noteEvery, expireLimit) {
		out = append(out, &recordpb.Request{Kind: &recordpb.Request_LeaseRemaining{
			LeaseRemaining: &recordpb.LeaseRemaining{Id: d.id, Renewed: d.renewed,
				RemainingTtl: int64((d.at + time.Second - 1) / time.Second)},
		}})
	}
	return out
}
