package mirror

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// lag remembers at which moments the source had come to a revision.
type lag struct{ seen []moment }

type moment struct {
	at  time.Time
	rev int64
}

// source notes the source's revision.
func (l *lag) source(at time.Time, rev int64) {
	if n := len(l.seen); n == 0 || l.seen[n-1].rev < rev {
		l.seen = append(l.seen, moment{at, rev})
	}
}

// of is how long ago the source was at a revision above rev; 0 if it was at none.
func (l *lag) of(rev int64, now time.Time) time.Duration {
	for len(l.seen) > 0 && l.seen[0].rev <= rev {
		l.seen = l.seen[1:]
	}
	if len(l.seen) == 0 {
		return 0
	}
	return now.Sub(l.seen[0].at)
}

// historyAge is for how long at least the root keeps its history while it follows: as an
// API server keeps an etcd's.
const historyAge = 5 * time.Minute

// history says what is old.
type history struct {
	before, then moment
}

// compact forgets what has been history for long. A source's compactions are not told
// of.
func (f *Follower) compact(ctx context.Context) error {
	now := moment{time.Now(), int64(f.Root.View().Rev())}
	h := &f.history
	if h.then.at.IsZero() {
		h.then = now
	}
	if now.at.Sub(h.then.at) < historyAge {
		return nil
	}
	h.before, h.then = h.then, now
	if floor := int64(f.Root.View().CompactRev()); h.before.rev <= max(floor, 0) {
		return nil
	}
	return f.Root.Append(ctx, []*recordpb.Request{{Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: h.before.rev}}}})
}

func revisionOf(rev int64) revision.Rev { return revision.Rev(rev) }

// settleLeases grants what the source has granted and no key has yet, and revokes what it
// has no more.
func (f *Follower) settleLeases(ctx context.Context) error {
	leases, can, err := f.Source.Leases(ctx)
	if err != nil || !can || !f.Source.Whole() {
		return err
	}
	v := f.Root.View()
	var requests []*recordpb.Request
	theirs := map[int64]bool{}
	for _, l := range leases {
		theirs[l.ID] = true
		ours, known := v.Lease(l.ID)
		switch {
		case known && (ours.TTL == l.TTL || ours.NumKeys() > 0):
			continue
		case known: // it has ended, and was granted again
			requests = append(requests, revokeOf(l.ID))
		}
		requests = append(requests, grantOf(l))
	}
	for l := range v.Leases() {
		// One that keys have will end with them.
		if !theirs[l.ID] && l.NumKeys() == 0 {
			requests = append(requests, revokeOf(l.ID))
		}
	}
	for len(requests) > 0 {
		n := min(len(requests), batchRequests)
		if err := f.Root.Append(ctx, requests[:n]); err != nil {
			return err
		}
		requests = requests[n:]
	}
	return nil
}
