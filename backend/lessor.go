package backend

import (
	"container/heap"
	"math"
	"sort"
	"sync"
	"time"

	"github.com/zkine/zkine/backend/state"
)

// lessor knows when leases end. It is no part of the state: every zkine runs
// the deadlines from its own applies, on a service clock of its own, and an
// expiry takes effect only as a record in the log.
//
// The service clock advances only between own quorum writes that are at most
// maxTick apart. So neither a frozen zkine nor an ensemble that was away makes
// time pass in which no client could have renewed its lease. After such a gap
// each lease regains min(TTL, two session timeouts).
//
// Invariant: a lease's deadline is never before (service time at its last
// renewal's apply) + TTL.
type lessor struct {
	regain time.Duration

	mu    sync.Mutex
	clock time.Duration // service time at the last quorum write
	last  time.Time     // when that was; zero before the first
	byID  map[int64]*deadline
	queue deadlines
}

// maxTick is the longest time between two quorum writes that still counts.
const maxTick = 2 * time.Second

// deadline is when a lease ends, in service time.
type deadline struct {
	id      int64
	ttl     time.Duration
	renewed uint64
	at      time.Duration
	noted   time.Duration // service time of the last note of what remains
	index   int           // in the heap
}

func newLessor(sessionTimeout time.Duration) *lessor {
	return &lessor{regain: 2 * sessionTimeout, byID: map[int64]*deadline{}}
}

// reset takes over the leases of a view that was not reached by applies. What
// is known of a lease that has not changed since stays; any other starts anew,
// with what somebody has noted to be left of it.
func (l *lessor) reset(v *state.View) {
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

// applied follows what happened to leases in a slot.
func (l *lessor) applied(changes []state.LeaseChange) {
	if len(changes) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range changes {
		l.change(c)
	}
}

func (l *lessor) change(c state.LeaseChange) {
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
	now := l.upcoming()
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

// seconds turns a TTL into a duration. The longest that may be granted, etcd's
// 9e9 s or 285 years, fits with 7 years to spare; what cannot be granted, but may
// be in the log, counts as that.
func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), state.MaxLeaseTTL)) * time.Second
}

// never is the latest moment of the service clock: sums with it of what is short
// stay clear of the overflow.
const never = math.MaxInt64 - 24*time.Hour

// after is a TTL after a moment, or never.
func after(now, ttl time.Duration) time.Duration {
	if ttl > never-now {
		return never
	}
	return now + ttl
}

// upcoming is what the clock can show at most at this moment, once the next
// quorum write has advanced it: deadlines start from here, to be never early.
func (l *lessor) upcoming() time.Duration {
	if l.last.IsZero() {
		return l.clock
	}
	return l.clock + min(max(0, time.Since(l.last)), maxTick)
}

// quorumWrite advances the clock: at the moment now this zkine has heard from
// a quorum.
func (l *lessor) quorumWrite(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	elapsed := now.Sub(l.last)
	switch {
	case l.last.IsZero() || elapsed > maxTick:
		l.gap()
	case elapsed <= 0:
		return // of two that ran at once, the later counts
	default:
		l.clock += elapsed
	}
	l.last = now
}

// gap gives each lease time for its client to come back.
func (l *lessor) gap() {
	for _, d := range l.queue {
		d.at = max(d.at, l.clock+min(d.ttl, l.regain))
	}
	heap.Init(&l.queue)
}

// idle says how long ago the clock advanced; leases is how many there are.
func (l *lessor) idle(now time.Time) (since time.Duration, leases int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Sub(l.last), len(l.byID)
}

// expired returns leases that ended at least overdue ago, at most limit.
func (l *lessor) expired(overdue time.Duration, limit int) (out []deadline) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The heap's order is only known at its top; walking down from there
	// visits just those that have expired.
	var walk func(i int)
	walk = func(i int) {
		if i >= len(l.queue) || len(out) == limit || l.queue[i].at+overdue > l.clock {
			return
		}
		out = append(out, *l.queue[i])
		walk(2*i + 1)
		walk(2*i + 2)
	}
	walk(0)
	return out
}

// unnoted returns long leases of which nobody has noted for a while how much
// is left, and counts them as noted; the durations are what is left.
func (l *lessor) unnoted(every time.Duration, limit int) (out []deadline) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.queue {
		if len(out) == limit {
			break
		}
		if d.ttl > every && l.clock-d.noted >= every && d.at > l.clock {
			d.noted = l.clock
			left := *d
			left.at -= l.clock
			out = append(out, left)
		}
	}
	return out
}

// remaining is how many whole seconds a lease has left, as etcd rounds; 0 when
// it has ended and is about to be revoked.
func (l *lessor) remaining(lease state.Lease) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.byID[lease.ID]
	if d == nil || d.renewed != lease.Renewed {
		return lease.TTL // changed a moment ago
	}
	left := max(0, d.at-l.upcoming())
	return int64(left / time.Second)
}

// byExpiry lists the leases of a view, those that end first first.
func (l *lessor) byExpiry(v *state.View) []int64 {
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

// deadlines is a heap, the earliest first.
type deadlines []*deadline

func (h deadlines) Len() int           { return len(h) }
func (h deadlines) Less(i, j int) bool { return h[i].at < h[j].at }
func (h deadlines) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *deadlines) Push(x any) {
	d := x.(*deadline)
	d.index = len(*h)
	*h = append(*h, d)
}
func (h *deadlines) Pop() any {
	old := *h
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return d
}
