package simulation

import (
	"fmt"
	"time"

	"github.com/zkine/zkine/backend/state"
)

// silence is how long a zkine must not have heard from ZooKeeper for its leases
// to be owed time. zkine counts two seconds; twice that leaves out an expiry
// which was on its way when the silence began: nothing waits for longer than two
// seconds to be sent.
const silence = 4 * time.Second

// checkService looks whether a zkine had a lease expire too soon after it had
// been out of touch, or had started: no client may have been able to renew it in
// that time, so that each lease has min(TTL, two session timeouts) from then on.
// A lease that checkLeases finds in order may fail here: the outage may have
// lasted longer than the lease.
func checkService(r *replayed, _ *history) (wrong []string) {
	ttls := map[int64]time.Duration{}
	for _, e := range r.entries {
		for _, c := range e.done.Leases {
			ttls[c.ID] = time.Duration(c.TTL) * time.Second
		}
		for _, q := range e.slot.Requests {
			x := q.GetLeaseExpire()
			if x == nil || e.by == nil || !e.revokes(x.Id) {
				continue
			}
			owed := min(ttls[x.Id], 2*sessionTimeout)
			if back := e.by.who.backInTouch(e.by.began); e.by.began < back+owed {
				wrong = append(wrong, fmt.Sprintf("%s had lease %d of %v expire at %v, and was back in touch at %v only",
					e.by.who.z.name, x.Id, ttls[x.Id], e.by.began, back))
			}
		}
	}
	return wrong
}

func (e *entry) revokes(lease int64) bool {
	for _, c := range e.done.Leases {
		if c.ID == lease && c.Kind == state.Revoked {
			return true
		}
	}
	return false
}

// backInTouch is when the latest silence before a moment ended; the first was
// before the life began.
func (l *life) backInTouch(before time.Duration) (back time.Duration) {
	for i, at := range l.heard {
		if at <= before && (i == 0 || at-l.heard[i-1] > silence) {
			back = at
		}
	}
	return back
}
