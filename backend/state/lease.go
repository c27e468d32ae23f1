package state

import (
	"iter"

	"github.com/tidwall/btree"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

// MaxLeaseTTL is the longest lease, in seconds: etcd's limit.
const MaxLeaseTTL = 9_000_000_000

// Lease is a lease as a View has it.
type Lease struct {
	ID int64
	// TTL was granted, in seconds.
	TTL int64
	// Remaining is how many seconds of it were left when that was last logged; 0
	// if it was not since the last grant or renewal.
	Remaining int64
	// Renewed stamps the last grant or renewal: the number of that request. It
	// differs between lifetimes of an id.
	Renewed uint64

	keys *btree.Set[string] // nil if no key was ever attached
}

// Keys yields the keys that are attached to the lease, in order.
func (l Lease) Keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		if l.keys != nil {
			l.keys.Scan(yield)
		}
	}
}

// NumKeys is how many keys are attached to the lease.
func (l Lease) NumKeys() int {
	if l.keys == nil {
		return 0
	}
	return l.keys.Len()
}

// lease is copy-on-write. While its generation is the machine's, no view has seen it
// and the machine may change it in place.
type lease struct {
	Lease
	generation uint64
}

// LeaseChangeKind says what happened to a lease.
type LeaseChangeKind uint8

const (
	// Granted: there is a new lease, of TTL seconds.
	Granted LeaseChangeKind = iota + 1
	// Renewed: its TTL starts again.
	Renewed
	// Remaining: it was logged that Remaining seconds are left.
	Remaining
	// Revoked: it is gone, revoked or expired.
	Revoked
)

// LeaseChange is what happened to a lease, for the lessor, which keeps deadlines.
type LeaseChange struct {
	ID             int64
	Kind           LeaseChangeKind
	TTL, Remaining int64 // seconds
	// Renewed is the lease's stamp after the change; for Revoked, its last one.
	Renewed uint64
}

func (m *Machine) noteLease(l *lease, kind LeaseChangeKind) {
	m.leaseChanges = append(m.leaseChanges, LeaseChange{
		ID: l.ID, Kind: kind, TTL: l.TTL, Remaining: l.Remaining, Renewed: l.Renewed,
	})
}

func (m *Machine) leaseGrant(r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	switch _, exists := m.leases.Get(r.ID); {
	case r.ID == 0:
		return nil, ErrLeaseNotFound
	case r.TTL > MaxLeaseTTL:
		return nil, ErrLeaseTTLTooLarge
	case exists:
		return nil, ErrLeaseExists
	}
	l := &lease{Lease: Lease{ID: r.ID, TTL: r.TTL, Renewed: m.applied}, generation: m.generation}
	m.leases.Set(l.ID, l)
	m.noteLease(l, Granted)
	return &pb.LeaseGrantResponse{Header: m.header(), ID: l.ID, TTL: l.TTL}, nil
}

func (m *Machine) leaseRevoke(r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	l, ok := m.leases.Get(r.ID)
	if !ok {
		return nil, ErrLeaseNotFound
	}
	m.revoke(l)
	return &pb.LeaseRevokeResponse{Header: m.header()}, nil
}

// leaseExpire revokes a lease unless it was renewed, revoked or granted again
// after the keeper looked. Then the request does nothing, which is no error.
func (m *Machine) leaseExpire(r *recordpb.LeaseExpire) *pb.LeaseRevokeResponse {
	if l, ok := m.leases.Get(r.Id); ok && l.Renewed == r.Renewed {
		m.work.Expired++
		m.revoke(l)
	}
	return &pb.LeaseRevokeResponse{Header: m.header()}
}

// revoke ends a lease and deletes its keys, in key order.
func (m *Machine) revoke(l *lease) {
	m.noteLease(l, Revoked)
	// The lease goes first, so that deleting a key need not detach it.
	m.leases.Delete(l.ID)
	for key := range l.Keys() {
		m.work.Deletes++
		if v, ok := m.live.Get(key); ok {
			m.delete(v)
		}
	}
}

// leaseRenew answers a keepalive. An unknown lease has TTL 0.
func (m *Machine) leaseRenew(r *recordpb.LeaseRenew) *pb.LeaseKeepAliveResponse {
	resp := &pb.LeaseKeepAliveResponse{Header: m.header(), ID: r.Id}
	l, ok := m.leases.Get(r.Id)
	if !ok {
		return resp
	}
	l = m.ownLease(l)
	l.Renewed, l.Remaining = m.applied, 0
	m.noteLease(l, Renewed)
	resp.TTL = l.TTL
	return resp
}

// leaseRemaining sets how much of a lease is left, unless the lease was renewed
// since.
func (m *Machine) leaseRemaining(r *recordpb.LeaseRemaining) *pb.LeaseCheckpointResponse {
	if l, ok := m.leases.Get(r.Id); ok && l.Renewed == r.Renewed {
		l = m.ownLease(l)
		l.Remaining = r.RemainingTtl
		m.noteLease(l, Remaining)
	}
	return &pb.LeaseCheckpointResponse{Header: m.header()}
}

// ownLease is l, or the copy that replaces it if a view may have seen l.
func (m *Machine) ownLease(l *lease) *lease {
	if l.generation == m.generation {
		return l
	}
	c := *l
	c.generation = m.generation
	if c.keys != nil {
		c.keys = c.keys.Copy()
	}
	m.leases.Set(c.ID, &c)
	return &c
}

// attach adds the key of v to the lease of v.
func (m *Machine) attach(v *version) {
	l, ok := m.leases.Get(v.lease)
	if !ok {
		return // checkPut has seen it; only a bug gets here
	}
	l = m.ownLease(l)
	if l.keys == nil {
		l.keys = new(btree.Set[string])
	}
	l.keys.Insert(v.key)
}

// detach removes the key of v, which was its newest version, from the lease of v.
func (m *Machine) detach(v *version) {
	if v.lease == 0 {
		return
	}
	if l, ok := m.leases.Get(v.lease); ok && l.keys != nil && l.keys.Contains(v.key) {
		m.ownLease(l).keys.Delete(v.key)
	}
}
