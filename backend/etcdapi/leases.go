package etcdapi

import (
	"context"
	"maps"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

// Lease is a lease of a source.
type Lease struct {
	ID int64
	// TTL was granted, in seconds.
	TTL int64
}

// leasesAtOnce is how many leases are asked for at a time.
const leasesAtOnce = 16

// maxLeaseTTL is etcd's limit, in seconds.
const maxLeaseTTL = 9_000_000_000

// unknownTTL is that of a lease which has ended before it could be asked for. Its keys
// are about to be deleted.
const unknownTTL = 60

// PinWithLeases pins the source, and lists the leases that the keys can have there, by
// their ids. A lease that a key has at that revision was there before the revision was
// chosen, or came in the same moment and is there after; so both are looked at. Some of
// them may have ended by then, and end in the target by themselves.
//
// at is a revision that is preferred to the current one, if the source still has it; 0 for
// none.
func (s *Source) PinWithLeases(ctx context.Context, at int64) (Pinned, []Lease, error) {
	if s.kind == Kine {
		return s.pinWithLifetimes(ctx, at)
	}
	known := map[int64]int64{}
	if err := s.addLeases(ctx, known); err != nil {
		return Pinned{}, nil, err
	}
	p, err := s.pin(ctx, at)
	if err != nil {
		return Pinned{}, nil, err
	}
	if err := s.addLeases(ctx, known); err != nil {
		return Pinned{}, nil, err
	}
	if p.Revision == at { // some that keys had then may have ended before the first look
		err = s.attached(ctx, p.Revision, func(id int64) {
			if _, is := known[id]; !is {
				known[id] = unknownTTL
			}
		})
	}
	return p, listed(known), err
}

// attached yields the leases that keys have at a revision, some of them several times.
// An etcd leaves them out where keys alone are asked for, since 3.7.
func (s *Source) attached(ctx context.Context, rev int64, lease func(id int64)) error {
	for kv, err := range s.keys(ctx, rev, s.kind == Kine) {
		if err != nil {
			return err
		}
		if kv.Lease != 0 {
			lease(kv.Lease)
		}
	}
	return nil
}

// pinWithLifetimes is PinWithLeases of a kine, which lists no leases. A lease's id is
// its lifetime there; the keys tell which there are.
func (s *Source) pinWithLifetimes(ctx context.Context, at int64) (Pinned, []Lease, error) {
	p, err := s.pin(ctx, at)
	if err != nil {
		return Pinned{}, nil, err
	}
	known := map[int64]int64{}
	err = s.attached(ctx, p.Revision, func(id int64) { known[id] = lifetime(id) })
	return p, listed(known), err
}

// lifetime is what a kine's lease id means, in seconds.
func lifetime(id int64) int64 { return max(1, min(id, maxLeaseTTL)) }

func listed(known map[int64]int64) (leases []Lease) {
	for _, id := range slices.Sorted(maps.Keys(known)) {
		leases = append(leases, Lease{ID: id, TTL: known[id]})
	}
	return leases
}

// addLeases asks for the leases that are not known yet.
func (s *Source) addLeases(ctx context.Context, known map[int64]int64) error {
	ids, err := s.leaseIDs(ctx)
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id int64) bool { _, is := known[id]; return is })
	ttls := make([]int64, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(leasesAtOnce)
	for i, id := range ids {
		group.Go(func() (err error) {
			ttls[i], err = s.ttl(ctx, id)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, id := range ids {
		if ttls[i] > 0 {
			known[id] = ttls[i]
		}
	}
	return nil
}

func (s *Source) leaseIDs(ctx context.Context) (ids []int64, err error) {
	resp, err := s.client.Leases(ctx)
	if err != nil {
		return nil, sorted(ctx, "list the leases", err)
	}
	for _, l := range resp.Leases {
		ids = append(ids, int64(l.ID))
	}
	return ids, nil
}

// ttl is what a lease was granted; 0 if it has ended.
func (s *Source) ttl(ctx context.Context, id int64) (int64, error) {
	resp, err := s.client.TimeToLive(ctx, clientv3.LeaseID(id))
	if err != nil {
		return 0, sorted(ctx, "ask for a lease", err)
	}
	if resp.TTL < 0 {
		return 0, nil
	}
	return resp.GrantedTTL, nil
}

// Lease is what is known of a lease that a change names. One that has ended by now has
// a short lifetime.
func (s *Source) Lease(ctx context.Context, id int64) (Lease, error) {
	if s.kind == Kine {
		return Lease{ID: id, TTL: lifetime(id)}, nil
	}
	ttl, err := s.ttl(ctx, id)
	if err == nil && ttl == 0 {
		ttl = unknownTTL
	}
	return Lease{ID: id, TTL: ttl}, err
}

// Leases lists all leases that the source has now; false if it cannot say so.
func (s *Source) Leases(ctx context.Context) (leases []Lease, can bool, err error) {
	if s.kind == Kine {
		return nil, false, nil
	}
	known := map[int64]int64{}
	err = s.addLeases(ctx, known)
	return listed(known), true, err
}
