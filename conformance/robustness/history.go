package robustness

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/tests/v3/robustness/model"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// History is what the log says, as far as it was applied to it: the twin of
// what etcd's judges read from the write-ahead logs of etcd's members.
//
// Requests are those that took effect, and only those, in the order of the log:
// neither a batch that was sent twice counts twice, nor a request that was
// answered with an error at all.
type History struct {
	// Requests in the model's words.
	Requests []model.EtcdRequest
	// Slots are the places and nonces of all slots, duplicates too.
	Slots []SlotID
	// Expired are the leases that expired, in order.
	Expired []Expiry
	// Duplicates counts slots that were skipped, Refused requests that were
	// answered with an error.
	Duplicates, Refused int

	machine *state.Machine
}

// SlotID names a slot and its batch.
type SlotID struct {
	Seq   revision.Seq
	Nonce revision.Nonce
}

// last is the place of the newest slot.
func (h *History) last() revision.Seq { return h.machine.View().Seq() }

// Expiry is the end of a lease that nobody renewed.
type Expiry struct {
	Lease int64
	// Rev is the store's revision after it.
	Rev int64
}

func newHistory() *History { return &History{machine: state.New()} }

// apply evaluates the slot that comes next.
func (h *History) apply(slot revision.Slot) error {
	h.Slots = append(h.Slots, SlotID{slot.Seq, slot.Nonce})
	applied := h.machine.Apply(slot)
	if applied.Duplicate {
		h.Duplicates++
		return nil
	}
	for i, r := range slot.Requests {
		if applied.Results[i].Err != nil {
			h.Refused++
			continue
		}
		if void(r, applied.Leases) {
			continue
		}
		if expire := r.GetLeaseExpire(); expire != nil {
			answer := applied.Results[i].Response.(*pb.LeaseRevokeResponse)
			h.Expired = append(h.Expired, Expiry{expire.Id, answer.Header.Revision})
		}
		request, err := translate(r)
		if err != nil {
			return fmt.Errorf("slot %v: %w", slot.Seq, err)
		}
		if request != nil {
			h.Requests = append(h.Requests, *request)
		}
	}
	return nil
}

// void says whether a request is an expiry that came too late: changes are
// those of its slot. A lease's stamp is that of one lifetime, so that the
// expiry of another one does not count.
func void(r *recordpb.Request, changes []state.LeaseChange) bool {
	expire := r.GetLeaseExpire()
	if expire == nil {
		return false
	}
	for _, c := range changes {
		if c.Kind == state.Revoked && c.ID == expire.Id && c.Renewed == expire.Renewed {
			return false
		}
	}
	return true
}

// Rev is the revision that the requests lead to.
func (h *History) Rev() int64 { return int64(h.machine.View().Rev()) }

func (h *History) content(rev int64) ([]*mvccpb.KeyValue, error) {
	resp, err := h.machine.View().Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev})
	if err != nil {
		return nil, err
	}
	return resp.Kvs, nil
}

// CheckModel compares the model with zkine's state machine: the same requests
// must lead both to the same revision and the same keys. What the validators
// derive from Requests would mean nothing otherwise.
func (h *History) CheckModel() error {
	replay := model.NewReplay(h.Requests)
	rev := h.Rev()
	if _, err := replay.StateForRevision(rev + 1); err == nil {
		return fmt.Errorf("the model comes to a revision above %d, the state machine's", rev)
	}
	final, err := replay.StateForRevision(rev)
	if err != nil {
		return fmt.Errorf("the model does not come to the state machine's revision %d: %w", rev, err)
	}
	content, err := h.content(rev)
	if err != nil {
		return err
	}
	keys, values, leases := final.KeysValueLeases()
	if len(keys) != len(content) {
		return fmt.Errorf("the model ends with %d keys, the state machine with %d", len(keys), len(content))
	}
	for i, kv := range content {
		want := model.ValueRevision{
			Value:       model.ToValueOrHash(string(kv.Value)),
			ModRevision: kv.ModRevision,
			Version:     kv.Version,
		}
		if keys[i] != string(kv.Key) || values[i] != want || leases[i] != kv.Lease {
			return fmt.Errorf("the model ends with %q = %v of lease %d, the state machine with %v", keys[i], values[i], leases[i], kv)
		}
	}
	return nil
}
