package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// evaluate answers a request, and makes its changes unless it errs.
func (m *Machine) evaluate(r *recordpb.Request) (proto.Message, error) {
	if err := m.refused(r); err != nil {
		return nil, err
	}
	if m.auth.enabled {
		if err := m.permitted(r); err != nil {
			return nil, err
		}
	}
	switch kind := r.GetKind().(type) {
	case *recordpb.Request_Put:
		if err := m.checkPut(kind.Put); err != nil {
			return nil, err
		}
		return m.put(kind.Put), nil
	case *recordpb.Request_DeleteRange:
		return call(kind.DeleteRange, always(m.deleteRange))
	case *recordpb.Request_Txn:
		return call(kind.Txn, m.txn)
	case *recordpb.Request_Compaction:
		return call(kind.Compaction, m.compaction)
	case *recordpb.Request_RevisionRaise:
		return call(kind.RevisionRaise, m.raise)
	case *recordpb.Request_LeaseGrant:
		return call(kind.LeaseGrant, m.leaseGrant)
	case *recordpb.Request_LeaseRevoke:
		return call(kind.LeaseRevoke, m.leaseRevoke)
	case *recordpb.Request_LeaseRenew:
		return call(kind.LeaseRenew, always(m.leaseRenew))
	case *recordpb.Request_LeaseExpire:
		return call(kind.LeaseExpire, always(m.leaseExpire))
	case *recordpb.Request_LeaseRemaining:
		return call(kind.LeaseRemaining, always(m.leaseRemaining))
	case *recordpb.Request_Alarm:
		return call(kind.Alarm, m.alarm)
	case *recordpb.Request_DigestMark:
		return call(kind.DigestMark, always(m.digestMark))
	case *recordpb.Request_DigestReport:
		return call(kind.DigestReport, always(m.digestReport))
	}
	return m.evaluateAuth(r)
}

// call calls a handler, unless the request is missing. A nil response becomes a
// nil message.
func call[Req any, Resp proto.Message](r *Req, handle func(*Req) (Resp, error)) (proto.Message, error) {
	if r == nil {
		return nil, ErrMalformed
	}
	resp, err := handle(r)
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// always makes a handler of a function that cannot fail.
func always[Req, Resp any](handle func(*Req) Resp) func(*Req) (Resp, error) {
	return func(r *Req) (Resp, error) { return handle(r), nil }
}

// refused is the error of a request that a raised alarm does not let pass; etcd's
// applierV3Corrupt and applierV3Capped.
func (m *Machine) refused(r *recordpb.Request) error {
	if len(m.alarms) == 0 {
		return nil
	}
	corrupt, full := m.raised(pb.AlarmType_CORRUPT), m.raised(pb.AlarmType_NOSPACE)
	switch kind := r.GetKind().(type) {
	case *recordpb.Request_Put, *recordpb.Request_LeaseGrant:
	case *recordpb.Request_Txn:
		full = full && puts(kind.Txn)
	case *recordpb.Request_DeleteRange, *recordpb.Request_Compaction,
		*recordpb.Request_LeaseRevoke, *recordpb.Request_LeaseExpire:
		full = false
	default:
		return nil
	}
	if corrupt {
		return ErrCorrupt
	}
	if full {
		return ErrNoSpace
	}
	return nil
}
