package recovery

import (
	"crypto/rand"
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// ErrTooHigh says that a revision cannot be raised so far.
var ErrTooHigh = errors.New("recovery: the revision cannot be raised so far")

// Reopen makes of the state what may be served again: the time of each lease begins
// again, since its clients could not renew it; alarms are gone, which were the old
// members'; and unless raise is 0, the revision becomes that, with all below compacted.
// That is done by records, as a log would have done it. The state that was reached is
// used up. Error: ErrTooHigh.
func (r *Reached) Reopen(raise revision.Rev) (*state.View, error) {
	v := r.machine.View()
	var requests []*recordpb.Request
	for l := range v.Leases() {
		requests = append(requests, &recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{Id: l.ID}}})
	}
	for _, a := range v.Alarms() {
		requests = append(requests, &recordpb.Request{Kind: &recordpb.Request_Alarm{Alarm: &pb.AlarmRequest{
			Action: pb.AlarmRequest_DEACTIVATE, MemberID: a.MemberID, Alarm: a.Alarm}}})
	}
	if raise > 0 {
		requests = append(requests, &recordpb.Request{Kind: &recordpb.Request_RevisionRaise{RevisionRaise: &recordpb.RevisionRaise{To: int64(raise)}}})
	}
	slot := revision.Slot{Seq: revision.Seq{Segment: v.Seq().Segment + 1}, Nonce: revision.DrawNonce(rand.Reader), Term: v.Term(), Requests: requests}
	applied := r.machine.ApplyFor(slot, func(int) bool { return false })
	for _, result := range applied.Results {
		if result.Err != nil {
			return nil, fmt.Errorf("recovery: prepare the state: %w", result.Err)
		}
	}
	reopened := r.machine.View()
	if raise > 0 && (reopened.Rev() != raise || reopened.CompactRev() != raise) {
		return nil, fmt.Errorf("%w: it is %d, and was to become %d", ErrTooHigh, reopened.Rev(), raise)
	}
	return reopened, nil
}
