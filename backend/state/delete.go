package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// deleteRange deletes the keys of a range, in key order.
func (m *Machine) deleteRange(r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	m.work.Deletes++
	versions, _ := m.collect(newSpan(r.Key, r.RangeEnd), m.current(), 0)
	resp := &pb.DeleteRangeResponse{Deleted: int64(len(versions))}
	if r.PrevKv {
		resp.PrevKvs = m.answer.previous(versions)
	}
	for _, v := range versions {
		m.delete(v)
	}
	resp.Header = &pb.ResponseHeader{Revision: int64(m.current())}
	return resp
}

// delete puts a tombstone on the key whose newest version is old.
func (m *Machine) delete(old *version) {
	v := newTombstone(old.key, m.rev+1)
	m.changed(v)
	m.insertTombstone(v, old)
	m.detach(old)
}
