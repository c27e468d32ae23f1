package v3rpc

import (
	"context"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// Backend is what the services of etcd's API need of the store, each its own
// part.
//
// Requests were checked statically before they get here, and belong to the store
// from then on. Responses belong to the service but for the bytes that they point
// to, which are shared and must not change. A response's header holds its
// revision; the service adds the identity (see header.go). Errors are sentinels of
// packages backend, state and revision, or ctx's; ToGRPC maps them to etcd's.
type Backend interface {
	Identity
	KV
	Watch
	Lease
	Cluster
	Maintenance
	Auth
	Access
}

// Config is what the services need besides the store.
type Config struct {
	// MemberID is the member_id of response headers.
	MemberID uint64
	// MaxRequestBytes bounds a write request, as etcd measures it.
	MaxRequestBytes int
	// MaxTxnOps bounds the compares and the operations of a branch in a Txn.
	MaxTxnOps int
	// FragmentBytes is the size from which a watcher that asked for it gets a
	// response in parts.
	FragmentBytes int
	// RequestTimeout ends what a stream waits for, and a compaction on its way into
	// the log. Unary calls come with it already.
	RequestTimeout time.Duration
	// SnapshotStall is how long a client may take nothing of a snapshot until it
	// is given up.
	SnapshotStall time.Duration
	// Version is the version of etcd that clients are told, StorageVersion that of
	// its storage: the same with a patch of 0.
	Version, StorageVersion string
	// WatchStreams and Watchers show how many there are.
	WatchStreams, Watchers Gauge
	// Begin follows a request that came on a stream of requests, until end is called with
	// what became of it. ctx is the stream's; what it returns is the request's. nil for
	// what follows none.
	Begin func(ctx context.Context, method string, request any) (_ context.Context, end func(response any, err error))
}

// Gauge is a Prometheus gauge. Its methods may be called at the same time.
type Gauge interface {
	Inc()
	Dec()
	Sub(float64)
}

// Services are services that are registered.
type Services struct {
	// streaming counts the goroutines that read or write a stream for a handler.
	// They end when gRPC has ended the stream, which is after their handler.
	streaming sync.WaitGroup
}

// Wait returns when nothing of the services runs any more. It is called when the
// gRPC servers have stopped and their handlers have returned.
func (s *Services) Wait() { s.streaming.Wait() }

// Register puts the services of etcd's API on a gRPC server, or on several
// at once.
func Register(to grpc.ServiceRegistrar, b Backend, cfg Config) *Services {
	s := &Services{}
	if cfg.Begin == nil {
		cfg.Begin = func(ctx context.Context, _ string, _ any) (context.Context, func(any, error)) {
			return ctx, func(any, error) {}
		}
	}
	h := newHeader(b, cfg.MemberID)
	limits := limits{maxRequestBytes: cfg.MaxRequestBytes, maxTxnOps: cfg.MaxTxnOps}
	pb.RegisterKVServer(to, &kvServer{kv: b, header: h, limits: limits, timeout: cfg.RequestTimeout})
	pb.RegisterWatchServer(to, &watchServer{
		backend: b, header: h, fragmentBytes: cfg.FragmentBytes,
		streams: cfg.WatchStreams, watchers: cfg.Watchers, readers: &s.streaming,
	})
	pb.RegisterLeaseServer(to, &leaseServer{leases: b, header: h, timeout: cfg.RequestTimeout, begin: cfg.Begin, readers: &s.streaming})
	pb.RegisterClusterServer(to, &guardedCluster{access: b, next: &clusterServer{cluster: b, header: h}})
	pb.RegisterMaintenanceServer(to, &guardedMaintenance{access: b, next: &maintenanceServer{
		backend: b, header: h, version: cfg.Version, storageVersion: cfg.StorageVersion,
		snapshotStall: cfg.SnapshotStall, senders: &s.streaming,
	}})
	pb.RegisterAuthServer(to, &authServer{backend: b, header: h, limits: limits})
	return s
}
