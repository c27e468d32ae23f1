package backend

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// keeper knows who the keeper is, as of a moment ago: the longest-lived
// member, which does what one is enough for. Two may believe to be it at once;
// all that a keeper does is decided by the log.
type keeper struct {
	log  Log
	self uint64

	mu    sync.Mutex
	id    uint64
	known []revision.Member // at the last look; shared, never changed
	at    time.Time
	// silent is a keeper that has given no sign of life, and named who is told as
	// the leader in its place.
	silent, named uint64
}

// keeperAge is how long the answer is believed: not until the next tick.
const keeperAge = leaseTick / 2

// refresh looks again who it is, if the last look is old.
func (k *keeper) refresh(ctx context.Context) {
	k.mu.Lock()
	fresh := time.Since(k.at) < keeperAge
	k.mu.Unlock()
	if fresh {
		return
	}
	members, err := k.log.Members(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = time.Now()
	if err == nil {
		k.id, k.known = 0, members
		if len(members) > 0 {
			k.id = members[0].ID
		}
		if k.id != k.silent || !slices.ContainsFunc(members, func(m revision.Member) bool { return m.ID == k.named }) {
			k.silent, k.named = 0, 0 // what was found out is of another list
		}
	}
}

// leader is the id that is told as the leader's: the keeper's, unless it has
// given no sign of life; 0 if none is known.
func (k *keeper) leader() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.id != 0 && k.id == k.silent {
		return k.named
	}
	return k.id
}

// name has a member told as the leader as long as a keeper is listed.
func (k *keeper) name(keeper, leader uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent, k.named = keeper, leader
	if keeper == leader {
		k.silent, k.named = 0, 0
	}
}

// isSilent says whether another one is told as the leader than the keeper.
func (k *keeper) isSilent() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.id != 0 && k.id == k.silent
}

// members are those of the last look.
func (k *keeper) members() []revision.Member {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known
}

func (k *keeper) isSelf() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.id == k.self
}

const (
	// leaseTick is how often leases are looked at, and how far apart quorum
	// writes are at least while there are leases; well below maxTick.
	leaseTick = 500 * time.Millisecond
	// expireLimit is how many expiries one tick proposes at most.
	expireLimit = 1000
	// noteEvery is how often what remains of a long lease is noted: etcd's
	// lease checkpoint interval.
	noteEvery = 5 * time.Minute
	// overdue is how long after its end any member revokes a lease, in case
	// the keeper is stuck.
	overdue = 15 * time.Second
)

// keeperLoop keeps the service clock going while there are leases, and proposes
// what the keeper proposes: expiries, notes, rounds of digests, compactions. It
// ends with the backend.
func (b *Backend) keeperLoop() {
	ticker := time.NewTicker(leaseTick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			ctx, cancel := context.WithTimeout(b.ctx, maxTick)
			b.keeper.refresh(ctx)
			if b.keeper.isSilent() {
				b.proof.want() // metrics tell the leader too, and ask for nothing
			}
			b.tendLeases(ctx)
			b.beginRound(ctx)
			b.autoCompact(ctx)
			if b.log.Refused() != nil {
				b.proposeNothing(ctx) //nolint:errcheck // it is to find out whether that is over
			}
			cancel()
		case <-b.ctx.Done():
			return
		}
	}
}

func (b *Backend) tendLeases(ctx context.Context) {
	idle, leases := b.lessor.idle(time.Now())
	if leases == 0 {
		return
	}
	if idle > leaseTick/2 {
		b.reads.wait(ctx) //nolint:errcheck // without a quorum, no time passes
	}
	patience := overdue
	if b.keeper.isSelf() {
		patience = 0
	}
	b.proposer.proposeAll(ctx, b.expiries(patience))
	if b.keeper.isSelf() {
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
