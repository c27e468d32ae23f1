package backend

import (
	"context"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

// Alarm lists, raises or clears alarms. As in etcd, listing is linearizable.
func (b *Backend) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	if r.Action != pb.AlarmRequest_GET {
		return propose[*pb.AlarmResponse](ctx, b.calls, r, &recordpb.Request{Kind: &recordpb.Request_Alarm{Alarm: r}})
	}
	if err := b.Authorize(ctx, r); err != nil {
		return nil, err
	}
	if err := b.reads.wait(ctx); err != nil {
		return nil, err
	}
	v := b.view.Load()
	others := func(a *pb.AlarmMember) bool { return r.Alarm != pb.AlarmType_NONE && a.Alarm != r.Alarm }
	return &pb.AlarmResponse{
		Header: &pb.ResponseHeader{Revision: int64(v.Rev())},
		Alarms: slices.DeleteFunc(v.Alarms(), others),
	}, nil
}

// Alarms lists the alarms that are raised in the state as it is here, without
// I/O: for what looks after this zkine, and must not depend on ZooKeeper.
func (b *Backend) Alarms() []*pb.AlarmMember { return b.view.Load().Alarms() }

// alarmText is an alarm as etcd's Status tells it. Whether one space or two
// stand between fields is chosen by the protobuf library for each build, so
// that no program relies on it; here it is one.
func alarmText(a *pb.AlarmMember) string { return strings.Join(strings.Fields(a.String()), " ") }
