package server

import pb "go.etcd.io/etcd/api/v3/etcdserverpb"

// header puts a member's identity into response headers, as etcd does in
// v3rpc/header.go.
type header struct {
	clusterID, memberID uint64
	status              func() Status
}

func newHeader(b Backend, memberID uint64) header {
	return header{clusterID: b.ClusterID(), memberID: memberID, status: b.Status}
}

// fill completes a header; a revision of 0 becomes the current one.
func (h header) fill(rh *pb.ResponseHeader) *pb.ResponseHeader {
	rh, st := h.identify(rh)
	if rh.Revision == 0 {
		rh.Revision = int64(st.Revision)
	}
	return rh
}

// fillIdentity completes a header but for the revision, where 0 has a meaning:
// in streams that are pinned to a revision, and in watch responses.
func (h header) fillIdentity(rh *pb.ResponseHeader) *pb.ResponseHeader {
	rh, _ = h.identify(rh)
	return rh
}

func (h header) identify(rh *pb.ResponseHeader) (*pb.ResponseHeader, Status) {
	if rh == nil {
		rh = &pb.ResponseHeader{}
	}
	st := h.status()
	rh.ClusterId, rh.MemberId, rh.RaftTerm = h.clusterID, h.memberID, st.Term
	return rh, st
}
