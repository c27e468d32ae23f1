package state

import (
	"cmp"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// alarm is one that a member has raised.
type alarm struct {
	kind   pb.AlarmType
	member uint64
}

func (a alarm) proto() *pb.AlarmMember {
	return &pb.AlarmMember{MemberID: a.member, Alarm: a.kind}
}

func compareAlarms(a, b alarm) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.member, b.member))
}

// alarmsOf are the alarms of a checkpoint.
func alarmsOf(members []*pb.AlarmMember) []alarm {
	var alarms []alarm
	for _, a := range members {
		alarms = append(alarms, alarm{kind: a.Alarm, member: a.MemberID})
	}
	return alarms
}

// alarmMembers lists the alarms of a kind, all of them for NONE.
func (s *store) alarmMembers(kind pb.AlarmType) []*pb.AlarmMember {
	var members []*pb.AlarmMember
	for _, a := range s.alarms {
		if kind == pb.AlarmType_NONE || kind == a.kind {
			members = append(members, a.proto())
		}
	}
	return members
}

// raised says whether any member has raised an alarm of the kind.
func (s *store) raised(kind pb.AlarmType) bool {
	return slices.ContainsFunc(s.alarms, func(a alarm) bool { return a.kind == kind })
}

func (m *Machine) alarm(r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	resp := &pb.AlarmResponse{Header: m.header()}
	a := alarm{kind: r.Alarm, member: r.MemberID}
	i, found := slices.BinarySearchFunc(m.alarms, a, compareAlarms)
	switch r.Action {
	case pb.AlarmRequest_GET:
		resp.Alarms = m.alarmMembers(r.Alarm)
	case pb.AlarmRequest_ACTIVATE:
		if a.kind == pb.AlarmType_NONE {
			break
		}
		if !found {
			m.alarms = slices.Insert(slices.Clone(m.alarms), i, a)
		}
		resp.Alarms = []*pb.AlarmMember{a.proto()}
	case pb.AlarmRequest_DEACTIVATE:
		if found {
			m.alarms = slices.Delete(slices.Clone(m.alarms), i, i+1)
			resp.Alarms = []*pb.AlarmMember{a.proto()}
		}
	default:
		return nil, ErrMalformed
	}
	return resp, nil
}

// puts says whether a transaction has a put, on either branch, in nested ones
// too. For etcd a put is what takes space, and is refused under NOSPACE.
func puts(r *pb.TxnRequest) bool {
	return slices.ContainsFunc(r.GetSuccess(), isPut) || slices.ContainsFunc(r.GetFailure(), isPut)
}

func isPut(op *pb.RequestOp) bool {
	return op.GetRequestPut() != nil || puts(op.GetRequestTxn())
}
