package server

import (
	"context"
	"unicode/utf8"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/usage"
	"github.com/zkine/zkine/server/v3rpc"
	"github.com/zkine/zkine/server/wire"
)

// waits are the calls that last for as long as their client likes, besides
// the streams that clients send on: they have no time limit, and end when the
// server drains.
var waits = map[string]bool{
	healthpb.Health_Watch_FullMethodName:          true,
	v3lockpb.Lock_Lock_FullMethodName:             true,
	v3electionpb.Election_Campaign_FullMethodName: true,
	v3electionpb.Election_Observe_FullMethodName:  true,
	pb.Maintenance_Defragment_FullMethodName:      true,
}

// lasting says whether a unary call has no time limit.
func lasting(method string, req any) bool {
	if c, ok := req.(*pb.CompactionRequest); ok {
		return c.GetPhysical() // see kvServer.Compact
	}
	return waits[method]
}

// gate is what every call passes before its handler: the client's version, its
// wish for a leader, and the time that it may take.
type gate struct {
	cfg     Config
	backend Backend
	live    *liveCalls
	metrics *metrics
	// underWay is shared by all gates of a server.
	underWay *underWay
	sender   sender
	usage    *usage.Recorder
}

func (g *gate) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	conn := listener.ConnOf(ctx)
	conn.BeginCall()
	defer conn.EndCall()
	resp, err := g.pass(ctx, req, info, handler)
	g.usage.Unary(g.caller(ctx, conn), req, wire.Unmetered(resp), err)
	return resp, err
}

func (g *gate) pass(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if _, err := g.admit(ctx, "unary"); err != nil {
		return nil, err
	}
	size, room := g.underWay.enter(req)
	if !room {
		return nil, rpctypes.ErrGRPCRequestTooManyRequests
	}
	defer g.underWay.leave(size)
	if lasting(info.FullMethod, req) {
		live, release := g.live.track(ctx, endless)
		resp, err := g.sender.unary(live, req, handler)
		if cause := release(); cause != nil && err != nil {
			return nil, cause
		}
		return resp, err
	}
	limited := withTimeout(ctx, g.cfg.RequestTimeout, v3rpc.ErrRequestTimeout)
	defer limited.release()
	return g.sender.unary(limited, req, handler)
}

// stream lets the server end what would not end by itself. What has one request
// and finishes, such as RangeStream, is left to finish.
func (g *gate) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	conn := listener.ConnOf(ss.Context())
	conn.BeginCall()
	defer conn.EndCall()
	ctx := ss.Context()
	counted := g.usage.Stream(func() *usage.Caller { return g.caller(ctx, conn) })
	err := g.passStream(ss, info, func(ss grpc.ServerStream) error {
		return handler(srv, counted.On(g.sender.stream(ss)))
	})
	counted.End(err)
	return err
}

func (g *gate) passStream(ss grpc.ServerStream, info *grpc.StreamServerInfo, handle func(grpc.ServerStream) error) error {
	kind, err := g.admit(ss.Context(), "stream")
	if err != nil {
		return err
	}
	if info.IsClientStream || waits[info.FullMethod] {
		kind |= endless
	}
	if kind == 0 {
		return handle(ss)
	}
	live, release := g.live.track(ss.Context(), kind)
	err = handle(liveStream{ss, live})
	if cause := release(); cause != nil {
		return cause
	}
	return err
}

// admit checks a call's metadata, with etcd's answers to what is wrong in it. The
// call is leaderBound if its client asked for a leader.
func (g *gate) admit(ctx context.Context, kind string) (callKind, error) {
	version := "unknown"
	if v := metadata.ValueFromIncomingContext(ctx, rpctypes.MetadataClientAPIVersionKey); len(v) > 0 {
		version = v[0]
	}
	if !utf8.ValidString(version) {
		return 0, rpctypes.ErrGRPCInvalidClientAPIVersion
	}
	g.metrics.countClient(kind, version)
	v := metadata.ValueFromIncomingContext(ctx, rpctypes.MetadataRequireLeaderKey)
	if len(v) == 0 || v[0] != rpctypes.MetadataHasLeader {
		return 0, nil
	}
	if g.backend.Ready() != nil {
		return 0, rpctypes.ErrGRPCNoLeader
	}
	return leaderBound, nil
}
