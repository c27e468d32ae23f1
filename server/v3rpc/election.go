package v3rpc

import (
	"context"
	"sync"

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

// Observe has etcd's service observe, and sends what that sees as the client takes it.
func (s *electionServer) Observe(r *v3electionpb.LeaderRequest, stream v3electionpb.Election_ObserveServer) error {
	ctx, cancel := context.WithCancel(s.onBehalf(stream.Context()))
	o := newObserver(ctx, stream)
	var ended error
	var observing sync.WaitGroup
	observing.Go(func() {
		defer close(o.queue)
		ended = s.etcd.Observe(r, o)
	})
	err := o.deliver()
	cancel()
	observing.Wait()
	if err != nil {
		return err
	}
	return ended
}

func (s *electionServer) Resign(ctx context.Context, r *v3electionpb.ResignRequest) (*v3electionpb.ResignResponse, error) {
	return s.etcd.Resign(s.onBehalf(ctx), r)
}
