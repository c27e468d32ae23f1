package state

import (
	"bytes"
	"iter"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/revision"
)

// View is the state between two slots. It is immutable. Any goroutine may read it
// for any time; as long as it is referenced, it keeps the memory of what it shows.
//
// Reads at the view's own revision never fail. Reads at an older revision return
// ErrCompacted below CompactRev. They also do once the machine has applied a
// later compaction and freed what they need.
type View struct{ store store }

// Rev is the current revision.
func (v *View) Rev() revision.Rev { return v.store.rev }

// CompactRev is the floor: the oldest revision that can be read. It is -1
// before the first compaction.
func (v *View) CompactRev() revision.Rev { return v.store.compactRev }

// Seq is the place of the last slot that was applied.
func (v *View) Seq() revision.Seq { return v.store.seq }

// Term is the highest term of all slots.
func (v *View) Term() uint64 { return v.store.term }

// Applied is how many requests the log has had up to here, those that erred too.
func (v *View) Applied() uint64 { return v.store.applied }

// NumLeases is how many leases there are.
func (v *View) NumLeases() int { return v.store.leases.Len() }

// LiveBytes is how many bytes all keys and their values have, without their history.
func (v *View) LiveBytes() int64 { return v.store.liveBytes }

// NumKeys is how many keys there are.
func (v *View) NumKeys() int { return v.store.live.Len() }

// Range answers as etcd does. Errors: ErrCompacted, ErrFutureRev, and
// ErrMalformed for a sort target that does not exist. The bytes that the response
// points to are shared and must not change.
func (v *View) Range(r *pb.RangeRequest) (*pb.RangeResponse, error) { return v.store.rangeRequest(r) }

// keysAtOnce is how many keys Keys decodes at a time.
const keysAtOnce = 256

// Keys yields the keys that begin with a prefix, "" for all, in order. What a KeyValue
// points to must not change. It stops after the first error, those of Range.
func (v *View) Keys(prefix string) iter.Seq2[*mvccpb.KeyValue, error] {
	return func(yield func(*mvccpb.KeyValue, error) bool) {
		from := []byte(prefix)
		if prefix == "" {
			from = []byte{0}
		}
		for more := true; more; {
			resp, err := v.Range(&pb.RangeRequest{Key: from, RangeEnd: []byte{0}, Limit: keysAtOnce})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, kv := range resp.Kvs {
				if !bytes.HasPrefix(kv.Key, []byte(prefix)) || !yield(kv, nil) {
					return
				}
			}
			if more = resp.More; more {
				from = append(bytes.Clone(resp.Kvs[len(resp.Kvs)-1].Key), 0)
			}
		}
	}
}

// ReadTxn answers a transaction for which IsReadOnly holds; any other is
// ErrMalformed. Errors are those of Range, and ErrAnswerTooLarge.
func (v *View) ReadTxn(r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if !IsReadOnly(r) {
		return nil, ErrMalformed
	}
	s := &v.store
	p, err := s.prepare(r)
	if err != nil {
		return nil, err
	}
	ops, succeeded := p.branch(r)
	resp := &pb.TxnResponse{
		Header:    &pb.ResponseHeader{Revision: int64(s.rev)},
		Succeeded: succeeded,
		Responses: make([]*pb.ResponseOp, len(ops)),
	}
	answer := answering{wanted: true, left: maxAnswer}
	for i, op := range ops {
		r := op.GetRequestRange()
		if resp.Responses[i] = answer.read(s, r); answer.err != nil {
			return nil, ErrAnswerTooLarge
		}
		if r.Revision > 0 && s.overtaken(revision.Rev(r.Revision)) {
			return nil, ErrCompacted
		}
	}
	return resp, nil
}

// Change is what the revision changed, in constant time. It is false below the
// floor and above Rev. Revision 1, where an empty store begins, has no events.
func (v *View) Change(rev revision.Rev) (Change, bool) {
	switch {
	case rev < v.store.compactRev || rev < firstChange-1 || rev > v.store.rev:
		return Change{}, false
	case rev < firstChange:
		return Change{Rev: rev}, true
	}
	return Change{Rev: rev, Events: v.store.history.of(rev)}, true
}

// Lease is the lease of that id, if there is one.
func (v *View) Lease(id int64) (Lease, bool) {
	l, ok := v.store.leases.Get(id)
	if !ok {
		return Lease{}, false
	}
	return l.Lease, true
}

// Leases yields all leases in the order of their ids.
func (v *View) Leases() iter.Seq[Lease] {
	return func(yield func(Lease) bool) {
		v.store.leases.Scan(func(_ int64, l *lease) bool { return yield(l.Lease) })
	}
}

// Alarms lists the alarms that are raised, by kind and member. The messages are
// the caller's.
func (v *View) Alarms() []*pb.AlarmMember { return v.store.alarmMembers(pb.AlarmType_NONE) }
