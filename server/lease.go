package server

import (
	"context"
	"errors"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/zkine/zkine/backend/state"
)

// renewalsInFlight bounds the renewals of one keepalive stream that wait for
// the log at once. Clients send those of all their leases on one stream, and
// one at a time would have each wait for the one before.
const renewalsInFlight = 64

type leaseServer struct {
	pb.UnsafeLeaseServer
	backend Backend
	header  header
	// timeout bounds a renewal, as the interceptor bounds unary calls.
	timeout time.Duration
}

// LeaseGrant leaves it to the state to refuse too large a TTL: users and alarms
// come first, as in etcd.
func (s *leaseServer) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	resp, err := s.backend.LeaseGrant(ctx, r)
	if err != nil {
		return nil, toGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

func (s *leaseServer) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	resp, err := s.backend.LeaseRevoke(ctx, r)
	if err != nil {
		return nil, toGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

// LeaseTimeToLive answers TTL -1 for an unknown lease, which is no error.
func (s *leaseServer) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	resp, err := s.backend.LeaseTimeToLive(ctx, r)
	err = s.leaderless(ctx, err)
	if errors.Is(err, state.ErrLeaseNotFound) {
		resp, err = &pb.LeaseTimeToLiveResponse{ID: r.ID, TTL: -1}, nil
	}
	if err != nil {
		return nil, toGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

func (s *leaseServer) LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	resp, err := s.backend.LeaseLeases(ctx, r)
	if err != nil {
		return nil, toGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

// renewal is the outcome of one keepalive request.
type renewal struct {
	resp *pb.LeaseKeepAliveResponse
	err  error
}

// LeaseKeepAlive renews leases as requests come, several at once, and answers
// in the order of the requests. The first error ends the stream.
func (s *leaseServer) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	in := receive(ctx, stream.Recv)
	queue := make(chan chan renewal, renewalsInFlight)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel(nil)
	workers.Go(func() {
		defer close(queue)
		s.renewAll(ctx, in, queue, &workers)
	})
	for outcome := range queue {
		r := <-outcome
		if r.err != nil {
			return toGRPC(ctx, r.err)
		}
		if err := stream.Send(r.resp); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return contextError(ctx, ctx.Err())
	}
	return in.err
}

// renewAll starts a renewal for each request, and queues its outcome.
func (s *leaseServer) renewAll(ctx context.Context, in *inbox[pb.LeaseKeepAliveRequest], queue chan<- chan renewal, workers *sync.WaitGroup) {
	for {
		select {
		case <-ctx.Done():
			return
		case r, ok := <-in.requests:
			if !ok {
				return
			}
			outcome := make(chan renewal, 1)
			select {
			case queue <- outcome:
			case <-ctx.Done():
				return
			}
			workers.Go(func() { outcome <- s.renew(ctx, r) })
		}
	}
}

func (s *leaseServer) renew(ctx context.Context, r *pb.LeaseKeepAliveRequest) renewal {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errRequestTimeout)
	defer cancel()
	resp, err := s.backend.LeaseKeepAlive(ctx, r)
	if err = s.leaderless(ctx, err); err != nil {
		return renewal{err: toGRPC(ctx, err)}
	}
	resp.Header = s.header.fill(resp.Header)
	return renewal{resp: resp}
}

// leaderless is what a call ends with that etcd passes on to its leader: one
// that has waited in vain for there to be a leader is told so, and not that its
// time is over; etcd's waitLeader.
func (s *leaseServer) leaderless(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errRequestTimeout) && s.backend.Ready() != nil {
		return rpctypes.ErrGRPCNoLeader
	}
	return err
}
