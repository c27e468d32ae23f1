package differential

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// lease makes leases that outlive the run; but see expiry.
func (g *generator) lease() proto.Message {
	id := pick(g, leases)
	switch g.IntN(10) {
	case 0, 1, 2, 3:
		return &pb.LeaseGrantRequest{ID: id, TTL: pick(g, []int64{100_000, 200_000, 300_000, 9_000_000_000, 9_000_000_001})}
	case 4, 5:
		return &pb.LeaseRevokeRequest{ID: pick(g, append(leases, 0, 99))}
	case 6, 7:
		return &pb.LeaseTimeToLiveRequest{ID: pick(g, append(leases, 0, 99)), Keys: g.one(2)}
	case 8:
		return &pb.LeaseKeepAliveRequest{ID: pick(g, append(leases, 0, 99))}
	default:
		return &pb.LeaseLeasesRequest{}
	}
}

// expiry grants a lease that ends soon, puts keys with it, and waits for its end: what both made of it is compared
// then, and what watchers saw. Nothing else is asked meanwhile, since when it ends is each server's own.
func (g *generator) expiry() operation {
	g.expired++
	id := 1000 + g.expired
	for range 1 + g.IntN(4) {
		g.queue = append(g.queue, operation{Message: &pb.PutRequest{Key: []byte(pick(g, keys)), Value: []byte(pick(g, values)), Lease: id}})
	}
	g.queue = append(g.queue, operation{Message: &pb.LeaseTimeToLiveRequest{ID: id, Keys: true}, await: true})
	return operation{Message: &pb.LeaseGrantRequest{ID: id, TTL: 3}}
}
