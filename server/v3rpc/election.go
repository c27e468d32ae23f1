package v3rpc

import (
	"context"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
)

// electionServer is etcd's own, as lockServer is.
type electionServer struct {
	v3electionpb.UnsafeElectionServer
	etcd     v3electionpb.ElectionServer
	onBehalf func(context.Context) context.Context
}

func (s *electionServer) Campaign(ctx context.Context, r *v3electionpb.CampaignRequest) (*v3electionpb.CampaignResponse, error) {
	return s.etcd.Campaign(s.onBehalf(ctx), r)
}

func (s *electionServer) Proclaim(ctx context.Context, r *v3electionpb.ProclaimRequest) (*v3electionpb.ProclaimResponse, error) {
	return s.etcd.Proclaim(s.onBehalf(ctx), r)
}

func (s *electionServer) Leader(ctx context.Context, r *v3electionpb.LeaderRequest) (*v3electionpb.LeaderResponse, error) {
	return s.etcd.Leader(s.onBehalf(ctx), r)
}

func (s *electionServer) Observe(r *v3electionpb.LeaderRequest, stream v3electionpb.Election_ObserveServer) error {
	return s.etcd.Observe(r, observeStream{stream, s.onBehalf(stream.Context())})
}

func (s *electionServer) Resign(ctx context.Context, r *v3electionpb.ResignRequest) (*v3electionpb.ResignResponse, error) {
	return s.etcd.Resign(s.onBehalf(ctx), r)
}

// observeStream is a stream with another context.
type observeStream struct {
	v3electionpb.Election_ObserveServer
	ctx context.Context
}

func (s observeStream) Context() context.Context { return s.ctx }
