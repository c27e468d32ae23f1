package housekeep

import (
	"context"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
)

// leaderProof is whether a proof of the leader is under way. Status names a
// leader, as etcd's does: the keeper. ZooKeeper lists a keeper that was killed
// until its session is over, so a call for the status has it asked for a sign of
// life. Without one the next member that gives one is named. This is for people
// and clients alone: what the keeper does is done by the member that is listed
// first, since two at once are harmless, and so is none for some seconds.
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

// ConfirmLeader finds out whether the member that Leader names lives, or which
// one does. It returns when that is known, or ctx ends, and at once if the keeper
// is known to be silent: whether it is back is found out beside. The proof goes on
// without its caller, so that callers that wait for less time than it takes get
// its result the next time. There is one a second at most, which costs two writes
// to ZooKeeper.
func (h *Housekeeper) ConfirmLeader(ctx context.Context) {
	if h.keeper.isSelf() {
		return
	}
	over := h.proof.want()
	if h.keeper.isSilent() {
		return
	}
	select {
	case <-over:
	case <-ctx.Done():
	case <-h.ctx.Done():
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
	p.wanted <- struct{}{} // there is room: no other proof is under way
	return p.current
}

func (p *leaderProof) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.current)
	p.ended, p.current = time.Now(), nil
}

var closedChannel = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// leaderLoop proves the leader when that is wanted. It ends with the
// Housekeeper.
func (h *Housekeeper) leaderLoop() {
	for {
		select {
		case <-h.proof.wanted:
			h.proveLeader()
			h.proof.end()
		case <-h.ctx.Done():
			return
		}
	}
}

// proveLeader names the first member that gives a sign of life: the keeper, or
// else one of those after it, which are asked all at once, so that several dead
// ones take no longer than one.
func (h *Housekeeper) proveLeader() {
	members := h.keeper.list()
	if len(members) == 0 {
		return
	}
	keeper := members[0].ID
	for _, asked := range [][]revision.Member{members[:1], members[1:]} {
		leader, known := h.firstAlive(asked)
		if !known {
			return
		}
		if leader != 0 {
			h.keeper.name(keeper, leader)
			return
		}
	}
}

// firstAlive asks members, up to this one, for a sign of life, and returns the
// id of the first that gives it, 0 if none does. known is false if ZooKeeper did
// not answer.
func (h *Housekeeper) firstAlive(members []revision.Member) (id uint64, known bool) {
	ctx, cancel := context.WithTimeout(h.ctx, signWait)
	defer cancel()
	alive, errs := make([]bool, len(members)), make([]error, len(members))
	var asking sync.WaitGroup
	for i, m := range members {
		if m.ID == h.cfg.Self {
			alive[i] = true
			break
		}
		asking.Go(func() { alive[i], errs[i] = h.env.Members.Alive(ctx, m.Name) })
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
