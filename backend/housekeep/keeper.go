package housekeep

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// keeper knows which member is the keeper, as of a moment ago: the longest-lived
// one, which does the work that one member is enough for. Two may believe to be it
// at once; all that a keeper does is decided by the log.
type keeper struct {
	members Membership
	self    uint64

	mu    sync.Mutex
	id    uint64
	known []revision.Member // at the last look; shared, never changed
	at    time.Time
	// silent is a keeper that has given no sign of life, and named the member that
	// is told as the leader in its place.
	silent, named uint64
}

// keeperAge is how long the answer is believed: not until the next tick.
const keeperAge = Tick / 2

// refresh looks again who it is, if the last look is old.
func (k *keeper) refresh(ctx context.Context) {
	k.mu.Lock()
	fresh := time.Since(k.at) < keeperAge
	k.mu.Unlock()
	if fresh {
		return
	}
	members, err := k.members.Members(ctx)
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

// list is the members as of the last look.
func (k *keeper) list() []revision.Member {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known
}

func (k *keeper) isSelf() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.id == k.self
}

// Tick is how often the keeper loop looks at what there is to do.
const Tick = 500 * time.Millisecond

// tickTimeout bounds what is done with one tick.
const tickTimeout = 2 * time.Second

// keeperLoop does with each tick what is due: leases, and, if this member is the
// keeper, rounds of digests and compactions. It ends with the Housekeeper.
func (h *Housekeeper) keeperLoop() {
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			ctx, cancel := context.WithTimeout(h.ctx, tickTimeout)
			h.keeper.refresh(ctx)
			if h.keeper.isSilent() {
				h.proof.want() // metrics tell the leader too, and ask for nothing
			}
			h.env.TendLeases(ctx)
			h.beginRound(ctx)
			h.autoCompact(ctx)
			if h.env.Store.Refused() != nil {
				h.proposeNothing(ctx) //nolint:errcheck // it is to find out whether that is over
			}
			cancel()
		case <-h.ctx.Done():
			return
		}
	}
}

// Refresh looks which member is the keeper, if the last look is old.
func (h *Housekeeper) Refresh(ctx context.Context) { h.keeper.refresh(ctx) }

// IsKeeper says whether this member is the keeper, as of the last look.
func (h *Housekeeper) IsKeeper() bool { return h.keeper.isSelf() }

// Leader is the id of the member that is told as the leader: the keeper, unless
// it has given no sign of life; 0 if none is known.
func (h *Housekeeper) Leader() uint64 { return h.keeper.leader() }

// Members lists the members as of the last look, the keeper first. The list is
// shared and must not change.
func (h *Housekeeper) Members() []revision.Member { return h.keeper.list() }

// mark begins a round of digests.
func (h *Housekeeper) mark(ctx context.Context) {
	h.env.Propose(ctx, &recordpb.Request{Kind: &recordpb.Request_DigestMark{DigestMark: &recordpb.DigestMark{}}}) //nolint:errcheck // a mark can get lost
}

// proposeNothing logs a record without an effect: a renewal of no lease.
func (h *Housekeeper) proposeNothing(ctx context.Context) error {
	return h.env.Propose(ctx, &recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{}}})
}
