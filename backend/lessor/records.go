package lessor

import (
	"time"

	"github.com/zkine/zkine/revision/recordpb"
)

const (
	// recordLimit is how many records are due at once at most; the others are with
	// the next call.
	recordLimit = 1000
	// noteEvery is how often what remains of a long lease is noted: etcd's
	// lease checkpoint interval.
	noteEvery = 5 * time.Minute
	// Overdue is how long after its end any member revokes a lease, in case the
	// keeper is stuck.
	Overdue = 15 * time.Second
)

// Expiries returns records that revoke the leases which ended at least overdue
// ago. Two members that log the same one do no harm: the second is void.
func (l *Lessor) Expiries(overdue time.Duration) (out []*recordpb.Request) {
	for _, d := range l.expired(overdue, recordLimit) {
		out = append(out, &recordpb.Request{Kind: &recordpb.Request_LeaseExpire{
			LeaseExpire: &recordpb.LeaseExpire{Id: d.id, Renewed: d.renewed},
		}})
	}
	return out
}

// Notes returns records that note how much remains of long leases, so that a
// restart does not begin with their whole TTL.
func (l *Lessor) Notes() (out []*recordpb.Request) {
	for _, d := range l.unnoted(recordLimit) {
		out = append(out, &recordpb.Request{Kind: &recordpb.Request_LeaseRemaining{
			LeaseRemaining: &recordpb.LeaseRemaining{Id: d.id, Renewed: d.renewed,
				RemainingTtl: int64((d.at + time.Second - 1) / time.Second)},
		}})
	}
	return out
}
