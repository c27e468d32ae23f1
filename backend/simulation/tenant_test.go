package simulation

import (
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// tenant takes leases, hangs a key on each, keeps them alive for a while and
// then lets go.
func (p *person) tenant() {
	defer p.w.poke()
	defer p.w.clients.Add(-1)
	for i := 0; !p.w.ending.Load(); i++ {
		p.rest(time.Second)
		s := &leased{ttl: 2 + p.rng.Int64N(2), key: fmt.Sprintf("lease/%s/%d", p.name, i)}
		if !p.grant(s) {
			continue
		}
		p.w.mu.Lock()
		p.w.history.leases = append(p.w.history.leases, s)
		p.w.mu.Unlock()
		p.hang(s)
		for range p.rng.IntN(8) {
			p.rest(time.Duration(s.ttl) * time.Second / 2)
			if p.w.ending.Load() || !p.renew(s) {
				break
			}
		}
		if p.rng.IntN(4) == 0 {
			p.revoke(s)
		}
	}
}

func (p *person) grant(s *leased) bool {
	_, b := p.reach()
	ctx, cancel := p.patience()
	defer cancel()
	sent := p.w.now()
	r, err := b.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: s.ttl})
	if err != nil {
		return false
	}
	s.id = r.ID
	s.alive = append(s.alive, sent)
	return true
}

// hang puts a key on the lease. It fails if the lease has ended.
func (p *person) hang(s *leased) {
	_, b := p.reach()
	ctx, cancel := p.patience()
	defer cancel()
	if r, err := b.Put(ctx, &pb.PutRequest{Key: []byte(s.key), Value: []byte(s.key), Lease: s.id}); err == nil {
		p.w.seen(r.Header.Revision)
	}
}

// renew says whether the lease still lives, as far as the client knows.
func (p *person) renew(s *leased) bool {
	_, b := p.reach()
	ctx, cancel := p.patience()
	defer cancel()
	sent := p.w.now()
	r, err := b.LeaseKeepAlive(ctx, &pb.LeaseKeepAliveRequest{ID: s.id})
	if err != nil {
		return true
	}
	if r.TTL > 0 {
		s.alive = append(s.alive, sent)
	}
	return r.TTL > 0
}

func (p *person) revoke(s *leased) {
	_, b := p.reach()
	ctx, cancel := p.patience()
	defer cancel()
	s.revoked = true
	b.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: s.id}) //nolint:errcheck // whether it did is in the log
}
