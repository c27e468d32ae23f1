package server

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

type maintenanceServer struct {
	pb.UnsafeMaintenanceServer
	backend        Backend
	header         header
	version        string
	storageVersion string
	quota          int64
}

// Status is answered from memory, ready or not: it is what people ask when
// something is wrong.
func (s *maintenanceServer) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	st := s.backend.Status()
	resp := &pb.StatusResponse{
		Header:           s.header.fill(&pb.ResponseHeader{Revision: int64(st.Revision)}),
		Version:          s.version,
		StorageVersion:   s.storageVersion,
		DbSize:           dbSize(st),
		DbSizeInUse:      st.DBSizeInUse,
		DbSizeQuota:      s.quota,
		Leader:           st.Leader,
		RaftIndex:        st.Index,
		RaftAppliedIndex: st.AppliedIndex,
		RaftTerm:         st.Term,
		DowngradeInfo:    &pb.DowngradeInfo{},
	}
	// Without ZooKeeper there is no quorum, which etcd calls having no leader.
	if s.backend.Ready() != nil {
		resp.Leader = 0
	}
	if resp.Leader == 0 {
		resp.Errors = append(resp.Errors, rpctypes.ErrorDesc(rpctypes.ErrGRPCNoLeader))
	}
	resp.Errors = append(resp.Errors, st.Errors...)
	return resp, nil
}

// dbSize is never below what is in use, though the log may hold that in a more
// compact form, and never 0: etcdctl divides by it.
func dbSize(st Status) int64 { return max(st.DBSize, st.DBSizeInUse, 1) }

// Alarm lists the alarms of the kind asked for, or all.
func (s *maintenanceServer) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	if r.Action != pb.AlarmRequest_GET {
		return nil, refused("Alarm "+r.Action.String(), "only GET is served so far")
	}
	alarms, err := s.backend.Alarms(ctx)
	if err != nil {
		return nil, toGRPC(ctx, err)
	}
	resp := &pb.AlarmResponse{Header: s.header.fill(nil)}
	for _, a := range alarms {
		if r.Alarm == pb.AlarmType_NONE || r.Alarm == a.Alarm {
			resp.Alarms = append(resp.Alarms, a)
		}
	}
	return resp, nil
}

func (s *maintenanceServer) Defragment(context.Context, *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	return nil, refused("Defragment", "there is no database file to defragment; ZooKeeper looks after its own")
}

func (s *maintenanceServer) Hash(context.Context, *pb.HashRequest) (*pb.HashResponse, error) {
	return nil, refused("Hash", "there is no database file to hash")
}

func (s *maintenanceServer) HashKV(context.Context, *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	return nil, refused("HashKV", "not served yet")
}

func (s *maintenanceServer) Snapshot(*pb.SnapshotRequest, pb.Maintenance_SnapshotServer) error {
	return refused("Snapshot", "not served yet; back up the ZooKeeper ensemble")
}

func (s *maintenanceServer) MoveLeader(context.Context, *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	return nil, refused("MoveLeader", "zkine members are equal; to move housekeeping elsewhere restart the member that Status calls the leader")
}

func (s *maintenanceServer) Downgrade(context.Context, *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	return nil, refused("Downgrade", "zkine stores nothing in etcd's format")
}
