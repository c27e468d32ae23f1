package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// checkPut is the part of a put that may fail. As etcd does, it looks for the
// lease first.
func (s *store) checkPut(r *pb.PutRequest) error {
	if r == nil {
		return ErrMalformed
	}
	if r.Lease != 0 {
		if _, ok := s.leases.Get(r.Lease); !ok {
			return ErrLeaseNotFound
		}
	}
	if r.IgnoreValue || r.IgnoreLease {
		if _, ok := s.live.Get(alias(r.Key)); !ok {
			return ErrKeyNotFound
		}
	}
	return nil
}

// put carries out a put that was checked.
func (m *Machine) put(r *pb.PutRequest) *pb.PutResponse {
	rev := m.rev + 1
	old, _ := m.live.Get(alias(r.Key))
	resp := &pb.PutResponse{Header: &pb.ResponseHeader{Revision: int64(rev)}}
	value, leaseID := r.Value, r.Lease
	create, number := rev, int64(1)
	if old != nil {
		create, number = old.create, old.number+1
		if r.IgnoreValue {
			value = old.value()
		}
		if r.IgnoreLease {
			leaseID = old.lease
		}
		if r.PrevKv {
			if kvs := m.answer.previous([]*version{old}); kvs != nil {
				resp.PrevKv = kvs[0]
			}
		}
	}
	m.work.Puts++
	m.work.PutBytes += len(r.Key) + len(value)
	v := newVersion(m.ownKey(r.Key, old), value, rev, create, number, leaseID)
	m.changed(v)
	m.insert(v, old)
	m.moveLease(v, old)
	return resp
}

// ownKey is the key in memory of its own, or in that of its version before.
func (m *Machine) ownKey(key []byte, old *version) string {
	if old != nil {
		return old.key
	}
	if tombstone, ok := m.tombstones.Get(alias(key)); ok {
		return tombstone.key
	}
	return string(key)
}

// moveLease attaches the key to the lease of its new version, and detaches it
// from that of the old one.
func (m *Machine) moveLease(v, old *version) {
	if old != nil {
		if old.lease == v.lease {
			return
		}
		m.detach(old)
	}
	if v.lease != 0 {
		m.attach(v)
	}
}
