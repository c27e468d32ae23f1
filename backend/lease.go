package backend

import (
	"context"
	"encoding/binary"
	"io"
	"math"

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
