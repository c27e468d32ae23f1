package v3rpc

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
)

// RegisterConcurrency puts etcd's own lock and election services on a gRPC server,
// or on several. They need nothing but a client of the API; onBehalf makes the
// context of a call of that client for the caller of a service.
func RegisterConcurrency(to grpc.ServiceRegistrar, c *clientv3.Client, onBehalf func(context.Context) context.Context) {
	v3lockpb.RegisterLockServer(to, &lockServer{etcd: v3lock.NewLockServer(c), onBehalf: onBehalf})
	v3electionpb.RegisterElectionServer(to, &electionServer{etcd: v3election.NewElectionServer(c), onBehalf: onBehalf})
}

// lockServer is etcd's own, which acts for its caller.
type lockServer struct {
	v3lockpb.UnsafeLockServer
	etcd     v3lockpb.LockServer
	onBehalf func(context.Context) context.Context
}

func (s *lockServer) Lock(ctx context.Context, r *v3lockpb.LockRequest) (*v3lockpb.LockResponse, error) {
	return s.etcd.Lock(s.onBehalf(ctx), r)
}

func (s *lockServer) Unlock(ctx context.Context, r *v3lockpb.UnlockRequest) (*v3lockpb.UnlockResponse, error) {
	return s.etcd.Unlock(s.onBehalf(ctx), r)
}
