package server

import (
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/observe"
	"github.com/zkine/zkine/server/v3rpc"
	"github.com/zkine/zkine/server/wire"
)

// overheadBytes is what gRPC takes above MaxRequestBytes, as in etcd, so that
// a request a little too large gets etcd's error and not gRPC's.
const overheadBytes = 512 << 10

// streamWorkers is how many goroutines are kept to handle calls, besides those
// that begin and end with one: a new goroutine's stack is too small for a call
// and is copied as it grows, a kept one's is not.
const streamWorkers = 128

// How much a client may send ahead of the server, in bytes, on a stream and on
// a connection. A stream's is HTTP/2's least: what comes in frames of some bytes
// takes ten times as much in memory, on each stream that is not listened to. That
// both are given keeps gRPC from measuring what the connection could take, for
// which it sends a ping along with nearly each request, and reads the answer: two
// packets more for a small call.
const (
	streamWindow = 64 << 10
	connWindow   = 4 << 20
)

// writeBuffer is how many bytes go to the system at once. It is a connection's
// only while it sends: what is large needs few system calls, and what is idle no
// memory.
const writeBuffer = 128 << 10

// greetingTimeout is how long a client may take for the beginning of a gRPC
// connection, after TLS. grpc-go waits for it when it stops, before it sends other
// clients away, so it is less than DefaultDrainTimeout; grpc-go's own is 2 min.
const greetingTimeout = 5 * time.Second

// newFacade makes the gRPC servers with every service on each; they do not
// accept connections yet.
func (s *Server) newFacade(b Backend, memberID uint64) *facade {
	f := &facade{backend: b, memberID: memberID, health: newHealth(), loopback: newLoopback(),
		sender: sender{wire.NewSending(s.cfg.MaxSendBytes)}}
	gate := &gate{cfg: s.cfg, backend: b, live: &s.live, metrics: s.metrics, underWay: &underWay{}, sender: f.sender, usage: s.usage}
	f.grpc = s.newGRPC(gate, listener.TransportCredentials(), grpc.NumStreamWorkers(streamWorkers))
	f.overHTTP = s.newGRPC(gate, nil)
	f.loopback.grpc = s.newGRPC(gate, newLoopbackCredentials())
	all := everywhere{f.grpc, f.overHTTP, f.loopback.grpc}
	f.services = s.register(all, b, memberID)
	v3rpc.RegisterConcurrency(all, f.loopback.client, onBehalf)
	observe.Register(all, observe.Config{Access: b, Usage: s.Usage, Member: s.Member, Ensemble: s.cfg.Ensemble})
	healthpb.RegisterHealthServer(all, f.health)
	for _, g := range all {
		reflection.Register(g)
	}
	s.metrics.calls.InitializeMetrics(f.grpc)
	return f
}

// everywhere registers a service on several gRPC servers.
type everywhere []*grpc.Server

func (e everywhere) RegisterService(desc *grpc.ServiceDesc, service any) {
	for _, g := range e {
		g.RegisterService(desc, service)
	}
}

// newGRPC makes a gRPC server. creds say how its connections were made; nil is
// for one without connections of its own.
func (s *Server) newGRPC(gate *gate, creds credentials.TransportCredentials, more ...grpc.ServerOption) *grpc.Server {
	own := append(s.cfg.Limits.grpc(), more...)
	if s.tracing != nil {
		own = append(own, s.tracing.ServerOption())
	}
	return grpc.NewServer(append([]grpc.ServerOption{
		grpc.Creds(creds),
		grpc.ConnectionTimeout(greetingTimeout),
		grpc.MaxRecvMsgSize(s.cfg.MaxRequestBytes + overheadBytes),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.WaitForHandlers(true),
		grpc.ForceServerCodecV2(wire.NewCodec(s.metrics.traffic.sent, s.metrics.traffic.received)),
		grpc.WriteBufferSize(writeBuffer),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow),
		grpc.ChainUnaryInterceptor(
			s.callLog.Unary,
			s.metrics.calls.UnaryServerInterceptor(),
			gate.unary,
		),
		grpc.ChainStreamInterceptor(
			s.callLog.Stream,
			s.metrics.calls.StreamServerInterceptor(),
			gate.stream,
		),
	}, own...)...)
}

// newHealth makes the health service, which says NOT_SERVING until it is known
// better.
func newHealth() *health.Server {
	h := health.NewServer()
	h.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	return h
}

// register puts the services of etcd's API on to.
func (s *Server) register(to grpc.ServiceRegistrar, b Backend, memberID uint64) *v3rpc.Services {
	return v3rpc.Register(to, b, v3rpc.Config{
		MemberID: memberID, MaxRequestBytes: s.cfg.MaxRequestBytes, MaxTxnOps: s.cfg.MaxTxnOps,
		// etcd compares fragments with the limit that gRPC has, not with its own.
		FragmentBytes:  s.cfg.MaxRequestBytes + overheadBytes,
		RequestTimeout: s.cfg.RequestTimeout, SnapshotStall: s.cfg.SnapshotStall,
		Version: s.cfg.Version, StorageVersion: s.cfg.minorVersion(),
		WatchStreams: s.metrics.watchStreams, Watchers: s.metrics.watchers, Begin: s.callLog.Begin,
	})
}
