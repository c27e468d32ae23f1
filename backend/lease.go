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
	return propose[*pb.LeaseGrantResponse](ctx, b, r,
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
	return propose[*pb.LeaseRevokeResponse](ctx, b, r,
		&recordpb.Request{Kind: &recordpb.Request_LeaseRevoke{LeaseRevoke: r}})
}

// LeaseKeepAlive renews a lease, and answers once that is applied. An unknown
// lease is TTL 0.
func (b *Backend) LeaseKeepAlive(ctx context.Context, r *pb.LeaseKeepAliveRequest) (*pb.LeaseKeepAliveResponse, error) {
	if _, err := b.authorize(ctx, r); err != nil {
		return nil, err
	}
	shared, err := b.renewals.renew(ctx, b, r.ID)
	if err != nil {
		return nil, err
	}
	// The caller writes into the header; the response is shared.
	return &pb.LeaseKeepAliveResponse{
		Header: &pb.ResponseHeader{Revision: shared.GetHeader().GetRevision()},
		ID:     shared.ID, TTL: shared.TTL,
	}, nil
}

// renewals lets keepalives of one lease that wait in the queue share a record.
// Lock order: the queue's lock, mu.
type renewals struct {
	mu     sync.Mutex
	queued map[int64]*renewal
}

type renewal struct {
	proposal *proposal
	waiting  int // clients, under renewals.mu
	cancel   context.CancelFunc
	done     chan struct{}
	response *pb.LeaseKeepAliveResponse
	err      error
}

func (rs *renewals) renew(ctx context.Context, b *Backend, id int64) (*pb.LeaseKeepAliveResponse, error) {
	r := rs.join(b, id)
	select {
	case <-r.done:
		return r.response, r.err
	case <-ctx.Done():
		rs.leave(b, id, r)
		return nil, context.Cause(ctx)
	}
}

func (rs *renewals) join(b *Backend, id int64) *renewal {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.queued[id]; r != nil {
		r.waiting++
		return r
	}
	r := &renewal{waiting: 1, done: make(chan struct{})}
	if rs.queued == nil {
		rs.queued = map[int64]*renewal{}
	}
	rs.queued[id] = r
	// Clients come and go while they share it: it lasts for as long as one waits.
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(b.ctx)
	p := b.proposal(ctx, &recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{Id: id}}})
	p.taken = func() { rs.forget(id, r) } // who comes later needs a record of its own
	r.proposal = p
	go func() {
		defer close(r.done)
		defer r.cancel()
		if r.err = b.queue.put(p); r.err != nil {
			rs.forget(id, r)
			return
		}
		o := <-p.done
		if r.err = o.err; o.err == nil {
			r.response = o.response.(*pb.LeaseKeepAliveResponse)
		}
	}()
	return r
}

// leave is called by a client that waits no longer. The last one takes the
// record away, if it still waits in the queue.
func (rs *renewals) leave(b *Backend, id int64, r *renewal) {
	rs.mu.Lock()
	r.waiting--
	abandoned := r.waiting == 0 && rs.queued[id] == r
	if abandoned {
		delete(rs.queued, id)
	}
	rs.mu.Unlock()
	if abandoned {
		r.cancel() // before: it may not be in the queue yet
		b.queue.drop(r.proposal)
	}
}

func (rs *renewals) forget(id int64, r *renewal) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.queued[id] == r {
		delete(rs.queued, id)
	}
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
	response.TTL = b.lessor.remaining(l)
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
	for _, id := range b.lessor.byExpiry(v) {
		response.Leases = append(response.Leases, &pb.LeaseStatus{ID: id})
	}
	return response, nil
}
