package differential

import (
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// hash asks for a hash, at revisions of compactions too. After a compaction at 0 it does not ask for revision 0, which
// stands for the current one: etcd answers that with the hash of nothing from then on.
func (g *generator) hash() proto.Message {
	revision := max(0, g.at())
	if g.one(3) && g.compacted > 0 {
		revision = g.compacted
	}
	if revision == 0 && g.compactions[0] {
		revision = g.revision
	}
	return &pb.HashKVRequest{Revision: revision}
}

// alarm turns an alarm on, or asks which are. It is not left on for long: it refuses most requests.
func (g *generator) alarm() *pb.AlarmRequest {
	r := &pb.AlarmRequest{Alarm: pick(g, []pb.AlarmType{pb.AlarmType_NOSPACE, pb.AlarmType_CORRUPT})}
	if g.one(6) {
		r.Alarm = pb.AlarmType_NONE
	}
	if g.one(5) {
		return r
	}
	r.Action, r.MemberID = pb.AlarmRequest_ACTIVATE, g.Uint64N(3)
	if r.Alarm != pb.AlarmType_NONE {
		g.alarms = append(g.alarms, &pb.AlarmMember{MemberID: r.MemberID, Alarm: r.Alarm})
	}
	return r
}

// disarm turns an alarm off, mostly one that is on.
func (g *generator) disarm() *pb.AlarmRequest {
	if g.one(5) {
		return &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, Alarm: pb.AlarmType(g.IntN(3)), MemberID: 9}
	}
	off := pick(g, g.alarms)
	g.alarms = slices.DeleteFunc(g.alarms, func(m *pb.AlarmMember) bool { return proto.Equal(m, off) })
	return &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, Alarm: off.Alarm, MemberID: off.MemberID}
}

// maintenance is calls that change nothing, and calls that are refused.
func (g *generator) maintenance() proto.Message {
	switch g.IntN(6) {
	case 0:
		return &pb.MoveLeaderRequest{TargetID: 99}
	case 1:
		return &pb.DowngradeRequest{Action: pb.DowngradeRequest_DowngradeAction(g.IntN(2)),
			Version: pick(g, []string{"", "x", "3", "3.5.0", "3.8.0", "4.0.0"})}
	case 2:
		return &pb.DefragmentRequest{}
	default:
		return &pb.StatusRequest{}
	}
}
