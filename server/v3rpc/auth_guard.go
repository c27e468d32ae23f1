package v3rpc

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"google.golang.org/protobuf/proto"
)

// Access says who may make which call.
type Access interface {
	// Authorize is nil if the call's user may make the request, and while
	// authentication is disabled. It is for watches, and for the requests of
	// auth_guard.go; all other methods authorize by themselves.
	Authorize(ctx context.Context, request proto.Message) error
}

// guardedMaintenance authorizes calls before it passes them on. The rules are in
// backend/access.go.
type guardedMaintenance struct {
	pb.UnsafeMaintenanceServer
	access Access
	next   pb.MaintenanceServer
}

// guard authorizes a call, and makes it.
func guard[Req proto.Message, Resp any](ctx context.Context, access Access, r Req, call func(context.Context, Req) (Resp, error)) (Resp, error) {
	if err := access.Authorize(ctx, r); err != nil {
		var none Resp
		return none, ToGRPC(ctx, err)
	}
	return call(ctx, r)
}

// Alarm authorizes only a request with an unknown action, which does not reach the
// backend. The backend authorizes the others: its record names the caller.
func (g *guardedMaintenance) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	if knownAction(r) {
		return g.next.Alarm(ctx, r)
	}
	return guard(ctx, g.access, r, g.next.Alarm)
}

func (g *guardedMaintenance) Status(ctx context.Context, r *pb.StatusRequest) (*pb.StatusResponse, error) {
	return guard(ctx, g.access, r, g.next.Status)
}

func (g *guardedMaintenance) Defragment(ctx context.Context, r *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	return guard(ctx, g.access, r, g.next.Defragment)
}

func (g *guardedMaintenance) Hash(ctx context.Context, r *pb.HashRequest) (*pb.HashResponse, error) {
	return guard(ctx, g.access, r, g.next.Hash)
}

func (g *guardedMaintenance) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	return guard(ctx, g.access, r, g.next.HashKV)
}

func (g *guardedMaintenance) Snapshot(r *pb.SnapshotRequest, stream pb.Maintenance_SnapshotServer) error {
	if err := g.access.Authorize(stream.Context(), r); err != nil {
		return ToGRPC(stream.Context(), err)
	}
	return g.next.Snapshot(r, stream)
}

func (g *guardedMaintenance) MoveLeader(ctx context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	return guard(ctx, g.access, r, g.next.MoveLeader)
}

func (g *guardedMaintenance) Downgrade(ctx context.Context, r *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	return guard(ctx, g.access, r, g.next.Downgrade)
}

// guardedCluster does the same for the list of members.
type guardedCluster struct {
	pb.UnsafeClusterServer
	access Access
	next   pb.ClusterServer
}

func (g *guardedCluster) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	// As in etcd, who asks is looked at after the barrier.
	resp, err := g.next.MemberList(ctx, r)
	if err == nil {
		err = ToGRPC(ctx, g.access.Authorize(ctx, r))
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
	return guard(ctx, g.access, r, g.next.MemberAdd)
}

func (g *guardedCluster) MemberRemove(ctx context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	return guard(ctx, g.access, r, g.next.MemberRemove)
}

func (g *guardedCluster) MemberUpdate(ctx context.Context, r *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	return guard(ctx, g.access, r, g.next.MemberUpdate)
}

func (g *guardedCluster) MemberPromote(ctx context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	return guard(ctx, g.access, r, g.next.MemberPromote)
}
