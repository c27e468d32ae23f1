package v3rpc

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
)

// header puts a member's identity into response headers, as etcd does in
// v3rpc/header.go.
type header struct {
	clusterID, memberID uint64
	current             func() (revision.Rev, uint64)
}

// Identity is what every response header tells.
type Identity interface {
	ClusterID() uint64
	// Current returns the store's revision and the term, at next to no cost.
	Current() (revision.Rev, uint64)
}

func newHeader(b Identity, memberID uint64) header {
	return header{clusterID: b.ClusterID(), memberID: memberID, current: b.Current}
}

// fill completes a header; a revision of 0 becomes the current one.
func (h header) fill(rh *pb.ResponseHeader) *pb.ResponseHeader {
	rh, rev := h.identify(rh)
	if rh.Revision == 0 {
		rh.Revision = int64(rev)
	}
	return rh
}

// fillIdentity completes a header but for the revision, where 0 has a meaning:
// in streams that are pinned to a revision, and in watch responses.
func (h header) fillIdentity(rh *pb.ResponseHeader) *pb.ResponseHeader {
	rh, _ = h.identify(rh)
	return rh
}

func (h header) identify(rh *pb.ResponseHeader) (*pb.ResponseHeader, revision.Rev) {
	if rh == nil {
		rh = &pb.ResponseHeader{}
	}
	rev, term := h.current()
	rh.ClusterId, rh.MemberId, rh.RaftTerm = h.clusterID, h.memberID, term
	return rh, rev
}
