package v3rpc

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/types"
)

// What etcd lets only users call, and only those with the root role: see its
// v3rpc/maintenance.go, authMaintenanceServer, and etcdserver/server.go.

// guardedMaintenance asks who calls before it passes a call on.
type guardedMaintenance struct {
	pb.UnsafeMaintenanceServer
	backend Auth
	next    pb.MaintenanceServer
}

// guard calls if require has nothing against it.
func guard[Req, Resp any](ctx context.Context, require func(context.Context) error, r Req, call func(context.Context, Req) (Resp, error)) (Resp, error) {
	if err := require(ctx); err != nil {
		var none Resp
		return none, ToGRPC(ctx, err)
	}
	return call(ctx, r)
}

// Alarm lets every user see the alarms.
func (g *guardedMaintenance) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	if r.GetAction() == pb.AlarmRequest_GET {
		return guard(ctx, g.backend.RequireUser, r, g.next.Alarm)
	}
	return guard(ctx, g.backend.RequireRoot, r, g.next.Alarm)
}

func (g *guardedMaintenance) Status(ctx context.Context, r *pb.StatusRequest) (*pb.StatusResponse, error) {
	return guard(ctx, g.backend.RequireUser, r, g.next.Status)
}

func (g *guardedMaintenance) Defragment(ctx context.Context, r *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	return guard(ctx, g.backend.RequireRoot, r, g.next.Defragment)
}

func (g *guardedMaintenance) Hash(ctx context.Context, r *pb.HashRequest) (*pb.HashResponse, error) {
	return guard(ctx, g.backend.RequireRoot, r, g.next.Hash)
}

func (g *guardedMaintenance) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	return guard(ctx, g.backend.RequireRoot, r, g.next.HashKV)
}

func (g *guardedMaintenance) Snapshot(r *pb.SnapshotRequest, stream pb.Maintenance_SnapshotServer) error {
	if err := g.backend.RequireRoot(stream.Context()); err != nil {
		return ToGRPC(stream.Context(), err)
	}
	return g.next.Snapshot(r, stream)
}

func (g *guardedMaintenance) MoveLeader(ctx context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	return guard(ctx, g.backend.RequireRoot, r, g.next.MoveLeader)
}

func (g *guardedMaintenance) Downgrade(ctx context.Context, r *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	return guard(ctx, g.backend.RequireRoot, r, g.next.Downgrade)
}

// guardedCluster does the same for the list of members.
type guardedCluster struct {
	pb.UnsafeClusterServer
	backend Auth
	next    pb.ClusterServer
}

func (g *guardedCluster) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	// As in etcd, who asks is looked at after the barrier.
	resp, err := g.next.MemberList(ctx, r)
	if err == nil {
		err = ToGRPC(ctx, g.backend.RequireUser(ctx))
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (g *guardedCluster) MemberAdd(ctx context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	// As in etcd, the URLs are looked at before who asks.
	if _, err := types.NewURLs(r.GetPeerURLs()); err != nil {
		return nil, rpctypes.ErrGRPCMemberBadURLs
	}
	return guard(ctx, g.backend.RequireRoot, r, g.next.MemberAdd)
}

func (g *guardedCluster) MemberRemove(ctx context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	return guard(ctx, g.backend.RequireRoot, r, g.next.MemberRemove)
}

func (g *guardedCluster) MemberUpdate(ctx context.Context, r *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	return guard(ctx, g.backend.RequireRoot, r, g.next.MemberUpdate)
}

func (g *guardedCluster) MemberPromote(ctx context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	return guard(ctx, g.backend.RequireRoot, r, g.next.MemberPromote)
}
