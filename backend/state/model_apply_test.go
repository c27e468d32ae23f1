package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

func (m *model) revoke(id int64) {
	delete(m.leases, id)
	for _, kv := range m.at(m.rev) {
		if kv.Lease == id {
			m.write(&mvccpb.KeyValue{Key: kv.Key})
		}
	}
}

// attached is the keys of a lease.
func (m *model) attached(id int64) (keys []string) {
	for _, kv := range m.at(m.rev) {
		if kv.Lease == id {
			keys = append(keys, string(kv.Key))
		}
	}
	return keys
}

func (m *model) apply(r *recordpb.Request) (proto.Message, error) {
	m.applied++
	if err := m.auth.permits(m, r); err != nil {
		return nil, err
	}
	resp, err := m.evaluate(r)
	m.rev = m.now()
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (m *model) evaluate(r *recordpb.Request) (proto.Message, error) {
	switch r := r.Kind.(type) {
	case *recordpb.Request_Put:
		if len(m.full) > 0 {
			return nil, ErrNoSpace
		}
		if err := m.checkPut(r.Put, m.get(r.Put.Key) != nil); err != nil {
			return nil, err
		}
		return m.put(r.Put), nil
	case *recordpb.Request_DeleteRange:
		return m.deleteRange(r.DeleteRange), nil
	case *recordpb.Request_Txn:
		if len(m.full) > 0 && puts(r.Txn) {
			return nil, ErrNoSpace
		}
		settled := m.settle(r.Txn)
		if err := m.check(settled, new([]*pb.DeleteRangeRequest)); err != nil {
			return nil, err
		}
		resp := m.execute(settled)
		resp.Header = m.header()
		return resp, nil
	case *recordpb.Request_Compaction:
		switch {
		case r.Compaction.Revision <= m.floor:
			return nil, ErrCompacted
		case r.Compaction.Revision > m.rev:
			return nil, ErrFutureRev
		}
		m.floor = r.Compaction.Revision
		return &pb.CompactionResponse{Header: m.header()}, nil
	case *recordpb.Request_RevisionRaise:
		if to := r.RevisionRaise.To; to > m.rev {
			m.rev, m.floor = to, to
		}
		return &pb.CompactionResponse{Header: m.header()}, nil
	case *recordpb.Request_Alarm:
		return m.alarm(r.Alarm), nil
	}
	return m.evaluateLease(r)
}

func (m *model) evaluateLease(r *recordpb.Request) (proto.Message, error) {
	switch r := r.Kind.(type) {
	case *recordpb.Request_LeaseGrant:
		id := r.LeaseGrant.ID
		switch {
		case len(m.full) > 0:
			return nil, ErrNoSpace
		case id == 0:
			return nil, ErrLeaseNotFound
		case m.leases[id] != nil:
			return nil, ErrLeaseExists
		}
		m.leases[id] = &modelLease{ttl: r.LeaseGrant.TTL, renewed: m.applied}
		return &pb.LeaseGrantResponse{Header: m.header(), ID: id, TTL: r.LeaseGrant.TTL}, nil
	case *recordpb.Request_LeaseRevoke:
		if m.leases[r.LeaseRevoke.ID] == nil {
			return nil, ErrLeaseNotFound
		}
		m.revoke(r.LeaseRevoke.ID)
		return &pb.LeaseRevokeResponse{Header: m.header()}, nil
	case *recordpb.Request_LeaseExpire:
		if l := m.leases[r.LeaseExpire.Id]; l != nil && l.renewed == r.LeaseExpire.Renewed {
			m.revoke(r.LeaseExpire.Id)
		}
		return &pb.LeaseRevokeResponse{Header: m.header()}, nil
	case *recordpb.Request_LeaseRenew:
		resp := &pb.LeaseKeepAliveResponse{Header: m.header(), ID: r.LeaseRenew.Id}
		if l := m.leases[r.LeaseRenew.Id]; l != nil {
			l.remaining, l.renewed = 0, m.applied
			resp.TTL = l.ttl
		}
		return resp, nil
	case *recordpb.Request_LeaseRemaining:
		if l := m.leases[r.LeaseRemaining.Id]; l != nil && l.renewed == r.LeaseRemaining.Renewed {
			l.remaining = r.LeaseRemaining.RemainingTtl
		}
		return &pb.LeaseCheckpointResponse{Header: m.header()}, nil
	}
	return m.auth.evaluate(r, m.header())
}

// alarm knows NOSPACE only.
func (m *model) alarm(r *pb.AlarmRequest) *pb.AlarmResponse {
	resp := &pb.AlarmResponse{Header: m.header()}
	member := &pb.AlarmMember{MemberID: r.MemberID, Alarm: pb.AlarmType_NOSPACE}
	switch {
	case r.Action == pb.AlarmRequest_GET:
		for id := range uint64(10) {
			if m.full[id] {
				resp.Alarms = append(resp.Alarms, &pb.AlarmMember{MemberID: id, Alarm: pb.AlarmType_NOSPACE})
			}
		}
	case r.Alarm != pb.AlarmType_NOSPACE:
	case r.Action == pb.AlarmRequest_ACTIVATE:
		m.full[r.MemberID] = true
		resp.Alarms = append(resp.Alarms, member)
	case m.full[r.MemberID]:
		delete(m.full, r.MemberID)
		resp.Alarms = append(resp.Alarms, member)
	}
	return resp
}
