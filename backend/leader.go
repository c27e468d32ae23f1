package backend

import (
	"context"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
)

// Status names a leader, as etcd's does: the keeper. ZooKeeper lists a keeper
// that was killed until its session is over, so whoever asks for the status has
// it asked for a sign of life. Without one the next member that gives one is
// named. This is for people and clients alone: what the keeper does is done by
// the one that is listed first, since two at once are harmless, and none for some
// seconds is.
type leaderProof struct {
	wanted chan struct{} // room for one

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
// once without ZooKeeper, or if the keeper is known to be silent: whether it is
// back is found out beside. The proof goes on without its caller, so that those
// who wait for less time than it takes keep nobody from it. There is one a second
// at most, which costs two writes to ZooKeeper.
func (b *Backend) ConfirmLeader(ctx context.Context) {
	if b.keeper.isSelf() || b.Ready() != nil {
		return
	}
	over := b.proof.want()
	if b.keeper.isSilent() {
		return
	}
	select {
	case <-over:
	case <-ctx.Done():
	case <-b.ctx.Done():
	}
}

// want has the leader proved unless that was done a moment ago. It returns a
// channel that is closed once the proof is over.
func (p *leaderProof) want() (over <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		return p.current
	}
	if time.Since(p.ended) < proofAge {
		return closedChannel
	}
	p.current = make(chan struct{})
	p.wanted <- struct{}{} // there is room: nobody else's proof is wanted
	return p.current
}

func (p *leaderProof) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.current)
	p.ended, p.current = time.Now(), nil
}

var closedChannel = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// leaderLoop proves the leader when that is wanted. It ends with the backend.
func (b *Backend) leaderLoop() {
	for {
		select {
		case <-b.proof.wanted:
			b.proveLeader()
			b.proof.end()
		case <-b.ctx.Done():
			return
		}
	}
}

// proveLeader names the first member that gives a sign of life: the keeper, or
// else one of those after it, which are asked all at once, so that several dead
// ones take no longer than one.
func (b *Backend) proveLeader() {
	members := b.keeper.members()
	if len(members) == 0 {
		return
	}
	keeper := members[0].ID
	for _, asked := range [][]revision.Member{members[:1], members[1:]} {
		leader, known := b.firstAlive(asked)
		if !known {
			return
		}
		if leader != 0 {
			b.keeper.name(keeper, leader)
			return
		}
	}
}

// firstAlive asks members, up to this one, for a sign of life, and returns the
// id of the first that gives it, 0 if none does. known is false if ZooKeeper did
// not answer.
func (b *Backend) firstAlive(members []revision.Member) (id uint64, known bool) {
	ctx, cancel := context.WithTimeout(b.ctx, signWait)
	defer cancel()
	alive, errs := make([]bool, len(members)), make([]error, len(members))
	var asking sync.WaitGroup
	for i, m := range members {
		if m.ID == b.cfg.Member.ID {
			alive[i] = true
			break
		}
		asking.Go(func() { alive[i], errs[i] = b.log.Alive(ctx, m.Name) })
	}
	asking.Wait()
	for i, m := range members {
		if errs[i] != nil {
			return 0, false
		}
		if alive[i] {
			return m.ID, true
		}
	}
	return 0, true
}
