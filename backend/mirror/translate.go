package mirror

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/etcdapi"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// batch becomes one slot: records that make the same changes as the source's, at the same
// revisions.
type batch struct {
	rules    rules
	view     *state.View
	rev      revision.Rev // after what is in it
	requests []*recordpb.Request
	bytes    int
	// keys are those that it changes, as it leaves them; nil is deleted.
	keys map[string]*mvccpb.KeyValue
	// leases are those that it grants, with their lifetimes, and attached is how many more
	// keys than before a lease has.
	leases   map[int64]int64
	attached map[int64]int
}

// rules is what a source keeps to.
type rules struct {
	// dense: it changes something at each revision, and tells all of it.
	dense bool
	// counted: it counts the versions of a key.
	counted bool
	// lease tells of a lease that the root does not have.
	lease func(ctx context.Context, id int64) (etcdapi.Lease, error)
}

func newBatch(r rules, view *state.View) *batch {
	return &batch{rules: r, view: view, rev: view.Rev(), keys: map[string]*mvccpb.KeyValue{}, leases: map[int64]int64{}, attached: map[int64]int{}}
}

// add puts the changes of one revision behind those before. ErrSkipped: they do not
// follow on these.
func (b *batch) add(ctx context.Context, c etcdapi.Changes) error {
	rev := revision.Rev(c.Revision)
	switch {
	case rev <= b.rev && len(c.Events) > 0:
		return fmt.Errorf("%w: revision %d is told, the root is at %d", ErrSkipped, rev, b.rev)
	case rev <= b.rev:
		return nil
	case b.rules.dense && (rev > b.rev+1 || len(c.Events) == 0):
		return fmt.Errorf("%w: revision %d is told after %d", ErrSkipped, rev, b.rev)
	}
	var ops []*pb.RequestOp
	held := b.held(c.Events)
	for _, event := range c.Events {
		op, err := b.change(event, rev)
		if err != nil {
			return err
		}
		if op == nil {
			continue
		}
		ops = append(ops, op)
	}
	grants, err := b.grants(ctx, ops, held)
	if err != nil {
		return err
	}
	if len(ops) == 0 {
		return nil // the next change, or the end, raises the revision
	}
	b.raise(rev - 1)
	b.append(grants...)
	b.append(recordOf(ops))
	b.rev = rev
	return nil
}

// raise has the root skip revisions that have changed nothing of what is followed.
func (b *batch) raise(to revision.Rev) {
	if to > b.rev {
		b.append(&recordpb.Request{Kind: &recordpb.Request_RevisionRaise{RevisionRaise: &recordpb.RevisionRaise{To: int64(to)}}})
		b.rev = to
	}
}

func (b *batch) append(requests ...*recordpb.Request) {
	for _, r := range requests {
		b.bytes += proto.Size(r)
	}
	b.requests = append(b.requests, requests...)
}

// recordOf is one record of all changes of a revision.
func recordOf(ops []*pb.RequestOp) *recordpb.Request {
	if len(ops) > 1 {
		return &recordpb.Request{Kind: &recordpb.Request_Txn{Txn: &pb.TxnRequest{Success: ops}}}
	}
	if put := ops[0].GetRequestPut(); put != nil {
		return &recordpb.Request{Kind: &recordpb.Request_Put{Put: put}}
	}
	return &recordpb.Request{Kind: &recordpb.Request_DeleteRange{DeleteRange: ops[0].GetRequestDeleteRange()}}
}

// change is the operation that makes an event happen; nil if it changes nothing. It is
// refused unless what the event says of the key's past is what the root has.
func (b *batch) change(event *mvccpb.Event, rev revision.Rev) (*pb.RequestOp, error) {
	kv := event.GetKv()
	key := string(kv.GetKey())
	existing, err := b.get(key)
	if err != nil {
		return nil, err
	}
	if prev := event.GetPrevKv(); prev != nil && (existing == nil || existing.ModRevision != prev.ModRevision) {
		return nil, fmt.Errorf("%w: a key that revision %d changes was last changed at %d, which was not told", ErrSkipped, rev, prev.ModRevision)
	}
	if event.GetType() == mvccpb.Event_DELETE {
		switch {
		case existing != nil:
		case b.rules.counted:
			return nil, fmt.Errorf("%w: revision %d deletes a key whose creation was not told", ErrSkipped, rev)
		default:
			return nil, nil // a kine lets absent keys be deleted
		}
		b.keys[key] = nil
		b.detach(existing)
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: kv.Key}}}, nil
	}
	if !b.follows(kv, existing, rev) {
		return nil, fmt.Errorf("%w: a key that revision %d changes has another past in the root", ErrSkipped, rev)
	}
	b.detach(existing)
	now := &mvccpb.KeyValue{CreateRevision: int64(rev), ModRevision: int64(rev), Version: 1, Lease: kv.Lease}
	if existing != nil {
		now.CreateRevision, now.Version = existing.CreateRevision, existing.Version+1
	}
	b.keys[key] = now
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: kv.Key, Value: kv.Value, Lease: kv.Lease}}}, nil
}

// follows says whether a version comes right after the one in the root; nil is none.
func (b *batch) follows(kv, existing *mvccpb.KeyValue, rev revision.Rev) bool {
	switch {
	case existing == nil:
		return kv.CreateRevision == int64(rev) && (!b.rules.counted || kv.Version == 1)
	case kv.CreateRevision != existing.CreateRevision:
		return false
	default:
		return !b.rules.counted || kv.Version == existing.Version+1
	}
}

// get is what the root will have of a key after what is in the batch.
func (b *batch) get(key string) (*mvccpb.KeyValue, error) {
	if kv, changed := b.keys[key]; changed {
		return kv, nil
	}
	resp, err := b.view.Range(&pb.RangeRequest{Key: []byte(key), KeysOnly: true})
	if err != nil || len(resp.Kvs) == 0 {
		return nil, err
	}
	return resp.Kvs[0], nil
}

// detach notes that a version of a key goes, and is no more its lease's; nil is none.
func (b *batch) detach(kv *mvccpb.KeyValue) {
	if kv != nil && kv.Lease != 0 {
		b.attached[kv.Lease]--
	}
}

// grants are the leases that a revision's puts need and the root does not have. One that
// it has, without keys, may have ended and been granted again with another lifetime, which
// no change tells: the keys of a lease that ends go with it.
// held are those that had keys before this revision.
func (b *batch) grants(ctx context.Context, ops []*pb.RequestOp, held map[int64]bool) (requests []*recordpb.Request, err error) {
	for _, op := range ops {
		id := op.GetRequestPut().GetLease()
		if id == 0 {
			continue
		}
		b.attached[id]++
		ttl, known := b.ttl(id)
		if known && (!b.rules.counted || held[id]) {
			continue
		}
		held[id] = true
		l, err := b.rules.lease(ctx, id)
		if err != nil {
			return nil, err
		}
		if known && ttl == l.TTL {
			continue
		}
		if known {
			requests = append(requests, revokeOf(id))
		}
		b.leases[id] = l.TTL
		requests = append(requests, grantOf(l))
	}
	return requests, nil
}

// ttl is a lease's lifetime in the root after what is in the batch.
func (b *batch) ttl(id int64) (ttl int64, known bool) {
	if ttl, known := b.leases[id]; known {
		return ttl, true
	}
	l, known := b.view.Lease(id)
	if !known {
		return 0, false
	}
	return l.TTL, true
}

// held are the leases that events name and that have keys in the root after what is in
// the batch.
func (b *batch) held(events []*mvccpb.Event) map[int64]bool {
	held := map[int64]bool{}
	for _, e := range events {
		id := e.GetKv().GetLease()
		keys := b.attached[id]
		if l, known := b.view.Lease(id); known {
			keys += l.NumKeys()
		}
		held[id] = keys > 0
	}
	return held
}

func grantOf(l etcdapi.Lease) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: &pb.LeaseGrantRequest{ID: l.ID, TTL: l.TTL}}}
}

func revokeOf(id int64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_LeaseRevoke{LeaseRevoke: &pb.LeaseRevokeRequest{ID: id}}}
}
