package backend

import (
	"context"
	"sync"
	"time"
)

// Status names a leader, as etcd's does: the keeper. ZooKeeper lists a keeper
// that was killed until its session is over, so whoever asks for the status has
// it asked for a sign of life. Without one the next member that gives one is
// named. This is for people and clients alone: what the keeper does is done by
// the one that is listed first, since two at once are harmless, and none for some
// seconds is.
type leaderProof struct {
	mu      sync.Mutex
	ended   time.Time     // when the last proof was over
	current chan struct{} // closed when the one under way is over; nil without one
}

const (
	// proofAge is for how long a proof is believed.
	proofAge = time.Second
	// signWait is how long a member has time for its sign of life.
	signWait = time.Second
)

// ConfirmLeader finds out whether the member that Status names as the leader
// lives, or which one does. It returns when that is known, or ctx ends, and at
// once without ZooKeeper. There is one proof a second at most, which costs two
// writes to ZooKeeper.
func (b *Backend) ConfirmLeader(ctx context.Context) {
	if b.keeper.isSelf() || b.Ready() != nil {
		return
	}
	over, mine := b.proof.join()
	if mine {
		b.proveLeader(ctx)
		b.proof.end()
		return
	}
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// join returns a channel that is closed once the proof is over; mine says that
// it is the caller's to make.
func (p *leaderProof) join() (over <-chan struct{}, mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil && time.Since(p.ended) >= proofAge {
		p.current = make(chan struct{})
		return nil, true
	}
	if p.current != nil {
		return p.current, false
	}
	return closedChannel, false
}

func (p *leaderProof) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.current)
	p.ended, p.current = time.Now(), nil
}

var closedChannel = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// proveLeader names the first member that gives a sign of life.
func (b *Backend) proveLeader(ctx context.Context) {
	members := b.keeper.members()
	for _, m := range members {
		if m.ID != b.cfg.Member.ID {
			ask, cancel := context.WithTimeout(ctx, signWait)
			alive, err := b.log.Alive(ask, m.Name)
			cancel()
			if err != nil || ctx.Err() != nil {
				return // nothing is known
			}
			if !alive {
				continue
			}
		}
		b.keeper.name(members[0].ID, m.ID)
		return
	}
}
