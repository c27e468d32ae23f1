package simulation

import (
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/state"
)

// ends is when leases ended, in the log: by id.
func ends(r *replayed) map[int64]time.Duration {
	ended := map[int64]time.Duration{}
	for _, e := range r.entries {
		for _, c := range e.done.Leases {
			if c.Kind == state.Revoked {
				ended[c.ID] = e.at
			}
		}
	}
	return ended
}

// checkLeases looks whether a lease ended before its time was over, never, or
// left its key behind.
func checkLeases(r *replayed, h *history) (wrong []string) {
	ended := ends(r)
	for _, s := range h.leases {
		at, over := ended[s.id]
		if !over {
			wrong = append(wrong, fmt.Sprintf("lease %d of %s never ended", s.id, s.key))
			continue
		}
		for _, sent := range s.alive {
			if !s.revoked && at < sent+time.Duration(s.ttl)*time.Second {
				wrong = append(wrong, fmt.Sprintf("lease %d of %s and %d s ended at %v, though it was alive at %v", s.id, s.key, s.ttl, at, sent))
			}
		}
		if r.at(s.key, r.current()) != nil {
			wrong = append(wrong, fmt.Sprintf("%s outlived its lease", s.key))
		}
	}
	return append(wrong, checkExpiries(r)...)
}

// checkExpiries looks whether the end of a lease deletes its keys in one
// revision.
func checkExpiries(r *replayed) (wrong []string) {
	for _, e := range r.entries {
		for i, q := range e.slot.Requests {
			x := q.GetLeaseExpire()
			if x == nil || len(e.slot.Requests) != 1 || e.last < e.first {
				continue
			}
			for _, event := range r.events[e.first] {
				if event.Type != mvccpb.Event_DELETE {
					wrong = append(wrong, fmt.Sprintf("request %d of %v expires a lease and does something else", i, e.seq))
				}
			}
			if e.last != e.first {
				wrong = append(wrong, fmt.Sprintf("the end of lease %d took %d revisions", x.Id, e.last-e.first+1))
			}
		}
	}
	return wrong
}
