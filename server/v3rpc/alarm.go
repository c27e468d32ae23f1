package v3rpc

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Alarm lists, raises and clears alarms. What a raised one refuses is decided
// where requests are applied. An action that does not exist is refused; etcd
// panics over it.
func (s *maintenanceServer) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	if !knownAction(r) {
		return nil, errMalformed
	}
	resp, err := s.backend.Alarm(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

func knownAction(r *pb.AlarmRequest) bool {
	_, known := pb.AlarmRequest_AlarmAction_name[int32(r.Action)]
	return known
}
