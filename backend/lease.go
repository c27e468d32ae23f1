package backend

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

// minLeaseTTL is the shortest lease in seconds: etcd's, for its default
// election timeout of one second (lessor's minLeaseTTL).
const minLeaseTTL = 2

// LeaseGrant grants a lease; with id 0 it gets a random one.
func (b *Backend) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	if err := b.admit(ctx, leaseOverhead); err != nil {
		return nil, err
	}
	final := &pb.LeaseGrantRequest{ID: r.ID, TTL: max(r.TTL, minLeaseTTL)}
	for final.ID == 0 {
		final.ID = b.randomID()
	}
	return propose[*pb.LeaseGrantResponse](ctx, b.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: final}})
}

// randomID is not negative.
func (b *Backend) randomID() int64 {
	var id [8]byte
	io.ReadFull(b.cfg.Random, id[:]) //nolint:errcheck // never fails, see Config
	return int64(binary.BigEndian.Uint64(id[:]) & math.MaxInt64)
}

// LeaseRevoke ends a lease and deletes its keys, in one revision.
func (b *Backend) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	return propose[*pb.LeaseRevokeResponse](ctx, b.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_LeaseRevoke{LeaseRevoke: r}})
}

// LeaseKeepAlive renews a lease, and answers once that is applied. An unknown
// lease is TTL 0.
func (b *Backend) LeaseKeepAlive(ctx context.Context, r *pb.LeaseKeepAliveRequest) (*pb.LeaseKeepAliveResponse, error) {
	if _, err := b.authorize(ctx, r); err != nil {
		return nil, err
	}
	shared, err := b.keepAlives.renew(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	// The caller writes into the header; the response is shared.
	return &pb.LeaseKeepAliveResponse{
		Header: &pb.ResponseHeader{Revision: shared.GetHeader().GetRevision()},
		ID:     shared.ID, TTL: shared.TTL,
	}, nil
}

// LeaseTimeToLive says how much of a lease is left; -1 for an unknown one.
func (b *Backend) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	if err := b.reads.wait(ctx); err != nil {
		return nil, err
	}
	c, err := b.authorize(ctx, r)
	if err != nil {
		return nil, err
	}
	v := c.view
	response := &pb.LeaseTimeToLiveResponse{Header: &pb.ResponseHeader{Revision: int64(v.Rev())}, ID: r.ID, TTL: -1}
	l, found := v.Lease(r.ID)
	if !found {
		return response, nil
	}
	response.GrantedTTL = l.TTL
	response.TTL = b.lessor.Remaining(l)
	if r.Keys {
		for key := range l.Keys() {
			response.Keys = append(response.Keys, []byte(key))
		}
	}
	return response, nil
}

// LeaseLeases lists all leases, those that end first first.
func (b *Backend) LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	if err := b.reads.wait(ctx); err != nil {
		return nil, err
	}
	c, err := b.authorize(ctx, r)
	if err != nil {
		return nil, err
	}
	v := c.view
	response := &pb.LeaseLeasesResponse{Header: &pb.ResponseHeader{Revision: int64(v.Rev())}}
	for _, id := range b.lessor.ByExpiry(v) {
		response.Leases = append(response.Leases, &pb.LeaseStatus{ID: id})
	}
	return response, nil
}

// keepAlives lets keepalives of one lease that wait in the queue share a record.
// Lock order: the queue's lock, mu.
type keepAlives struct {
	queue *queue
	// ctx ends with the backend.
	ctx context.Context

	mu     sync.Mutex
	queued map[int64]*keepAlive
}

// keepAlive is a record that waits, and the clients that share it.
type keepAlive struct {
	proposal *proposal
	timing   Timing
	clients  int // that wait; under keepAlives.mu
	cancel   context.CancelFunc
	// done is closed once response or err is there.
	done     chan struct{}
	response *pb.LeaseKeepAliveResponse
	err      error
}

func newKeepAlives(ctx context.Context, q *queue) *keepAlives {
	return &keepAlives{queue: q, ctx: ctx, queued: map[int64]*keepAlive{}}
}

// renew renews a lease. The response is shared and must not change.
func (ks *keepAlives) renew(ctx context.Context, id int64) (*pb.LeaseKeepAliveResponse, error) {
	timing := timingOf(ctx)
	timing.wait()
	k, began := ks.join(id)
	defer func() { timing.like(&k.timing) }()
	if began {
		// Not under mu, which the queue takes.
		if err := ks.queue.put(k.proposal); err != nil {
			ks.forget(id, k)
			k.finish(outcome{err: err})
		}
	}
	select {
	case <-k.done:
		return k.response, k.err
	case <-ctx.Done():
		ks.leave(id, k)
		return nil, context.Cause(ctx)
	}
}

// join returns the record that waits, or one that the caller is to queue.
func (ks *keepAlives) join(id int64) (k *keepAlive, began bool) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if k := ks.queued[id]; k != nil {
		k.clients++
		return k, false
	}
	k = &keepAlive{clients: 1, done: make(chan struct{})}
	ks.queued[id] = k
	// Clients come and go while they share it: it lasts for as long as one waits.
	var ctx context.Context
	ctx, k.cancel = context.WithCancel(ks.ctx)
	k.proposal = newProposal(ctx, &recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{Id: id}}})
	k.proposal.timing = &k.timing
	k.proposal.taken = func() { ks.forget(id, k) } // a later client needs a record of its own
	k.proposal.finished = k.finish
	return k, true
}

func (k *keepAlive) finish(o outcome) {
	if k.err = o.err; o.err == nil {
		k.response = o.response.(*pb.LeaseKeepAliveResponse)
	}
	close(k.done)
	k.cancel()
}

// leave is called by a client that waits no longer. The last one takes the
// record away, if it still waits in the queue.
func (ks *keepAlives) leave(id int64, k *keepAlive) {
	ks.mu.Lock()
	k.clients--
	abandoned := k.clients == 0 && ks.queued[id] == k
	if abandoned {
		delete(ks.queued, id)
	}
	ks.mu.Unlock()
	if abandoned {
		k.cancel() // drop finishes it with the cause of its context's end
		ks.queue.drop(k.proposal)
	}
}

func (ks *keepAlives) forget(id int64, k *keepAlive) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if ks.queued[id] == k {
		delete(ks.queued, id)
	}
}
