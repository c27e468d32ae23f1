package v3rpc

import (
	"context"
	"errors"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/zkine/zkine/backend/state"
)

// keepalivesInFlight bounds the keepalives of one stream that wait for the
// log at once. Clients send those of all their leases on one stream, and one at a
// time would have each wait for the one before.
const keepalivesInFlight = 64

// Lease is the store of the Lease service.
type Lease interface {
	LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error)
	LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error)
	// LeaseKeepAlive renews once. An unknown lease is TTL 0, not an error; the
	// header's revision is the one before the renewal.
	LeaseKeepAlive(ctx context.Context, r *pb.LeaseKeepAliveRequest) (*pb.LeaseKeepAliveResponse, error)
	LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error)
	LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error)
	// Ready is nil while there is a leader, in etcd's words.
	Ready() error
}

type leaseServer struct {
	pb.UnsafeLeaseServer
	leases Lease
	header header
	// timeout bounds a keepalive, as the interceptor bounds unary calls.
	timeout time.Duration
	// begin is Config.Begin.
	begin func(ctx context.Context, method string, request any) (context.Context, func(response any, err error))
	// readers counts the goroutines that read streams.
	readers *sync.WaitGroup
}

// LeaseGrant leaves it to the state to refuse too large a TTL: users and alarms
// come first, as in etcd.
func (s *leaseServer) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	resp, err := s.leases.LeaseGrant(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

func (s *leaseServer) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	resp, err := s.leases.LeaseRevoke(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

// LeaseTimeToLive answers TTL -1 for an unknown lease, which is no error.
func (s *leaseServer) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	resp, err := s.leases.LeaseTimeToLive(ctx, r)
	err = s.leaderless(ctx, err)
	if errors.Is(err, state.ErrLeaseNotFound) {
		resp, err = &pb.LeaseTimeToLiveResponse{ID: r.ID, TTL: -1}, nil
	}
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

func (s *leaseServer) LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	resp, err := s.leases.LeaseLeases(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

// kept is the outcome of one keepalive request.
type kept struct {
	resp *pb.LeaseKeepAliveResponse
	err  error
}

// LeaseKeepAlive renews leases as keepalives come, several at once, and answers
// in the order of the requests. The first error ends the stream.
func (s *leaseServer) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	in := receive(ctx, s.readers, stream.Recv)
	queue := make(chan chan kept, keepalivesInFlight)
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
			return ToGRPC(ctx, r.err)
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

// renewAll starts each keepalive, and queues its outcome.
func (s *leaseServer) renewAll(ctx context.Context, in *inbox[pb.LeaseKeepAliveRequest], queue chan<- chan kept, workers *sync.WaitGroup) {
	for {
		select {
		case <-ctx.Done():
			return
		case r, ok := <-in.requests:
			if !ok {
				return
			}
			outcome := make(chan kept, 1)
			select {
			case queue <- outcome:
			case <-ctx.Done():
				return
			}
			workers.Go(func() { outcome <- s.renew(ctx, r) })
		}
	}
}

func (s *leaseServer) renew(ctx context.Context, r *pb.LeaseKeepAliveRequest) kept {
	ctx, end := s.begin(ctx, pb.Lease_LeaseKeepAlive_FullMethodName, r)
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, ErrRequestTimeout)
	defer cancel()
	resp, err := s.leases.LeaseKeepAlive(ctx, r)
	if err = s.leaderless(ctx, err); err != nil {
		err = ToGRPC(ctx, err)
		end(nil, err)
		return kept{err: err}
	}
	resp.Header = s.header.fill(resp.Header)
	end(resp, nil)
	return kept{resp: resp}
}

// leaderless is what a call ends with that etcd passes on to its leader: one
// that has waited in vain for there to be a leader is told so, and not that its
// time is over; etcd's waitLeader.
func (s *leaseServer) leaderless(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), ErrRequestTimeout) && s.leases.Ready() != nil {
		return rpctypes.ErrGRPCNoLeader
	}
	return err
}
