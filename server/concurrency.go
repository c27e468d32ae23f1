package server

import (
	"context"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// lockServer is etcd's own, which needs nothing but a client of the API; it
// acts for whoever called it.
type lockServer struct {
	v3lockpb.UnsafeLockServer
	etcd v3lockpb.LockServer
}

func newLockServer(c *clientv3.Client) *lockServer {
	return &lockServer{etcd: v3lock.NewLockServer(c)}
}

func (s *lockServer) Lock(ctx context.Context, r *v3lockpb.LockRequest) (*v3lockpb.LockResponse, error) {
	return s.etcd.Lock(onBehalf(ctx), r)
}

func (s *lockServer) Unlock(ctx context.Context, r *v3lockpb.UnlockRequest) (*v3lockpb.UnlockResponse, error) {
	return s.etcd.Unlock(onBehalf(ctx), r)
}

// electionServer is etcd's own, as lockServer is.
type electionServer struct {
	v3electionpb.UnsafeElectionServer
	etcd v3electionpb.ElectionServer
}

func newElectionServer(c *clientv3.Client) *electionServer {
	return &electionServer{etcd: v3election.NewElectionServer(c)}
}

func (s *electionServer) Campaign(ctx context.Context, r *v3electionpb.CampaignRequest) (*v3electionpb.CampaignResponse, error) {
	return s.etcd.Campaign(onBehalf(ctx), r)
}

func (s *electionServer) Proclaim(ctx context.Context, r *v3electionpb.ProclaimRequest) (*v3electionpb.ProclaimResponse, error) {
	return s.etcd.Proclaim(onBehalf(ctx), r)
}

func (s *electionServer) Leader(ctx context.Context, r *v3electionpb.LeaderRequest) (*v3electionpb.LeaderResponse, error) {
	return s.etcd.Leader(onBehalf(ctx), r)
}

func (s *electionServer) Observe(r *v3electionpb.LeaderRequest, stream v3electionpb.Election_ObserveServer) error {
	return s.etcd.Observe(r, observeStream{stream, onBehalf(stream.Context())})
}

func (s *electionServer) Resign(ctx context.Context, r *v3electionpb.ResignRequest) (*v3electionpb.ResignResponse, error) {
	return s.etcd.Resign(onBehalf(ctx), r)
}

// observeStream is a stream with another context.
type observeStream struct {
	v3electionpb.Election_ObserveServer
	ctx context.Context
}

func (s observeStream) Context() context.Context { return s.ctx }
