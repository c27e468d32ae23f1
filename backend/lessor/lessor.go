package lessor

import (
	"container/heap"
	"sort"
	"sync"
	"time"

	"github.com/zkine/zkine/backend/state"
)

// Lessor knows when leases end. Its methods may be called by any goroutine.
//
// The service clock advances only between own quorum writes that are at most
// MaxTick apart. So neither a frozen zkine nor an ensemble that was away makes
// time pass in which no client could have renewed its lease. After such a gap
// each lease regains min(TTL, two session timeouts).
//
// Invariant: a lease's deadline is never before (service time at its last
// renewal's apply) + TTL.
type Lessor struct {
	regain time.Duration

	mu    sync.Mutex
	clock clock
	byID  map[int64]*deadline
	queue deadlines
}

// New makes a Lessor without leases. sessionTimeout is ZooKeeper's, of the session.
func New(sessionTimeout time.Duration) *Lessor {
	return &Lessor{regain: 2 * sessionTimeout, byID: map[int64]*deadline{}}
}

// Reset takes over the leases of a view that was not reached by applies. The
// deadline of a lease that has not changed since stays; any other starts again, with
// what was noted to be left of it.
func (l *Lessor) Reset(v *state.View) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.byID
	l.byID, l.queue = map[int64]*deadline{}, nil
	for lease := range v.Leases() {
		if d := known[lease.ID]; d != nil && d.renewed == lease.Renewed {
			l.byID[d.id] = d
			heap.Push(&l.queue, d)
			continue
		}
		change := state.LeaseChange{ID: lease.ID, Kind: state.Granted, TTL: lease.TTL, Renewed: lease.Renewed}
		l.change(change)
		if lease.Remaining > 0 {
			change.Kind, change.Remaining = state.Remaining, lease.Remaining
			l.change(change)
		}
	}
}

// Applied follows what happened to leases in a slot.
func (l *Lessor) Applied(changes []state.LeaseChange) {
	if len(changes) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range changes {
		l.change(c)
	}
}

func (l *Lessor) change(c state.LeaseChange) {
	d := l.byID[c.ID]
	if c.Kind == state.Revoked {
		if d != nil {
			delete(l.byID, c.ID)
			heap.Remove(&l.queue, d.index)
		}
		return
	}
	if d == nil {
		d = &deadline{id: c.ID}
		l.byID[c.ID] = d
		heap.Push(&l.queue, d)
	}
	now := l.clock.upcoming()
	d.ttl = seconds(c.TTL)
	d.renewed = c.Renewed
	d.noted = now
	if c.Kind == state.Remaining {
		d.at = min(d.at, after(now, seconds(c.Remaining)))
	} else {
		d.at = after(now, d.ttl)
	}
	heap.Fix(&l.queue, d.index)
}

// QuorumWrite advances the service clock: at the moment now this zkine has heard
// from a quorum.
func (l *Lessor) QuorumWrite(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clock.advance(now) == gap {
		l.regainTime()
	}
}

// regainTime gives each lease time for its client to come back.
func (l *Lessor) regainTime() {
	for _, d := range l.queue {
		d.at = max(d.at, l.clock.now+min(d.ttl, l.regain))
	}
	heap.Init(&l.queue)
}

// Idle says how long ago the clock advanced; leases is how many there are.
func (l *Lessor) Idle(now time.Time) (since time.Duration, leases int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Sub(l.clock.last), len(l.byID)
}

// expired returns leases that ended at least overdue ago, at most limit.
func (l *Lessor) expired(overdue time.Duration, limit int) (out []deadline) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The heap's order is only known at its top; walking down from there
	// visits just those that have expired.
	var walk func(i int)
	walk = func(i int) {
		if i >= len(l.queue) || len(out) == limit || l.queue[i].at+overdue > l.clock.now {
			return
		}
		out = append(out, *l.queue[i])
		walk(2*i + 1)
		walk(2*i + 2)
	}
	walk(0)
	return out
}

// unnoted returns long leases of which it was not noted for noteEvery how much
// is left, and counts them as noted; the durations are what is left.
func (l *Lessor) unnoted(limit int) (out []deadline) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.queue {
		if len(out) == limit {
			break
		}
		if d.ttl > noteEvery && l.clock.now-d.noted >= noteEvery && d.at > l.clock.now {
			d.noted = l.clock.now
			left := *d
			left.at -= l.clock.now
			out = append(out, left)
		}
	}
	return out
}

// Remaining is how many whole seconds a lease has left, as etcd rounds; 0 when
// it has ended and is about to be revoked.
func (l *Lessor) Remaining(lease state.Lease) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.byID[lease.ID]
	if d == nil || d.renewed != lease.Renewed {
		return lease.TTL // changed a moment ago
	}
	left := max(0, d.at-l.clock.upcoming())
	return int64(left / time.Second)
}

// ByExpiry lists the leases of a view, those that end first first.
func (l *Lessor) ByExpiry(v *state.View) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []int64
	at := map[int64]time.Duration{}
	for lease := range v.Leases() {
		ids = append(ids, lease.ID)
		if d := l.byID[lease.ID]; d != nil {
			at[lease.ID] = d.at
		}
	}
	sort.SliceStable(ids, func(i, j int) bool { return at[ids[i]] < at[ids[j]] })
	return ids
}
