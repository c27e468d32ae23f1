package etcdapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// putsAtOnce and putBytes bound a transaction that fills a sink: etcd's own
	// bounds are 128 operations and 1.5 MiB, and a larger value goes alone.
	putsAtOnce, putBytes = 128, 1 << 20
)

// Sink is an etcd that is empty, or that holds the beginning of what it is to be filled
// with: what a Fill that was interrupted has left. It is filled in the order of keys, one
// transaction after the other. One goroutine uses it.
type Sink struct {
	source *Source
	client *clientv3.Client
	// filled is how many keys were there, and have to be the first ones.
	filled int64
}

// OpenSink looks what a target holds. The client is the caller's. Errors: ErrNotEtcd, of a
// kine too, which cannot be filled.
func OpenSink(ctx context.Context, client *clientv3.Client) (*Sink, error) {
	source, err := Connect(ctx, client, nil)
	if err != nil {
		return nil, err
	}
	if source.kind == Kine {
		return nil, fmt.Errorf("it is a kine, which takes no plain writes: %w", ErrNotEtcd)
	}
	p, err := source.Pin(ctx)
	if err != nil {
		return nil, err
	}
	return &Sink{source: source, client: client, filled: p.Keys}, nil
}

// Contents is what a sink is filled with.
type Contents struct {
	// Keys yields all keys in order. It may be called several times.
	Keys func() iter.Seq2[*mvccpb.KeyValue, error]
	// Leases are those of the keys, and others, by their ids.
	Leases []Lease
	Access Access
}

// Fill puts all keys with their values and leases, then makes users and roles, who do not
// count before Enable. done is told of each key; may be nil. ErrNotEmpty: the target holds something
// else than the beginning of it. Revisions and versions are the target's own.
func (s *Sink) Fill(ctx context.Context, c Contents, done func(keys, bytes int64)) error {
	if err := s.resumes(ctx, c); err != nil {
		return err
	}
	if err := s.grant(ctx, c.Leases); err != nil {
		return err
	}
	if err := s.put(ctx, c.Keys(), done); err != nil {
		return err
	}
	return s.admit(ctx, c.Access)
}

// Check is an error unless Fill would begin: ErrNotEmpty.
func (s *Sink) Check(ctx context.Context, c Contents) error { return s.resumes(ctx, c) }

// Resumed is how many keys were there before.
func (s *Sink) Resumed() int64 { return s.filled }

// resumes shows that what is there is the beginning of what is to be there.
func (s *Sink) resumes(ctx context.Context, c Contents) error {
	if err := s.onlyOurLeases(ctx, c.Leases); err != nil {
		return err
	}
	if err := s.onlyOurUsers(ctx, c.Access); err != nil {
		return err
	}
	if s.filled == 0 {
		return nil
	}
	rev, err := s.source.Current(ctx)
	if err != nil {
		return err
	}
	next, stop := iter.Pull2(c.Keys())
	defer stop()
	for theirs, err := range s.source.Keys(ctx, rev) {
		if err != nil {
			return err
		}
		ours, err, more := next()
		if err != nil {
			return err
		}
		if !more || !bytes.Equal(ours.Key, theirs.Key) || !bytes.Equal(ours.Value, theirs.Value) || ours.Lease != theirs.Lease {
			return fmt.Errorf("%w: it has %d keys, which are not the first of those to be written", ErrNotEmpty, s.filled)
		}
	}
	return nil
}

func (s *Sink) onlyOurLeases(ctx context.Context, leases []Lease) error {
	there, err := s.source.leaseIDs(ctx)
	if err != nil {
		return err
	}
	ours := map[int64]bool{}
	for _, l := range leases {
		ours[l.ID] = true
	}
	for _, id := range there {
		if !ours[id] {
			return fmt.Errorf("%w: it has granted other leases", ErrNotEmpty)
		}
	}
	return nil
}

// grant grants the leases that are not there, with their ids. etcd raises a lifetime that
// is shorter than its own least one.
func (s *Sink) grant(ctx context.Context, leases []Lease) error {
	there, err := s.source.leaseIDs(ctx)
	if err != nil {
		return err
	}
	known := map[int64]bool{}
	for _, id := range there {
		known[id] = true
	}
	api := pb.NewLeaseClient(s.client.ActiveConnection())
	for _, l := range leases {
		if known[l.ID] {
			continue
		}
		if _, err := api.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: l.ID, TTL: l.TTL}); err != nil {
			return sorted(ctx, "grant a lease", err)
		}
	}
	return nil
}

// put writes the keys that are not there yet.
func (s *Sink) put(ctx context.Context, keys iter.Seq2[*mvccpb.KeyValue, error], done func(keys, bytes int64)) error {
	if done == nil {
		done = func(int64, int64) {}
	}
	skip := s.filled
	var ops []clientv3.Op
	size := 0
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		_, err := s.client.Txn(ctx).Then(ops...).Commit()
		if err != nil {
			return putError(ctx, err)
		}
		done(int64(len(ops)), int64(size))
		ops, size = ops[:0], 0
		return nil
	}
	for kv, err := range keys {
		if err != nil {
			return err
		}
		n := len(kv.Key) + len(kv.Value)
		if skip > 0 {
			skip--
			done(1, int64(n))
			continue
		}
		if len(ops) == putsAtOnce || len(ops) > 0 && size+n > putBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		ops = append(ops, clientv3.OpPut(string(kv.Key), string(kv.Value), clientv3.WithLease(clientv3.LeaseID(kv.Lease))))
		size += n
	}
	return flush()
}

func putError(ctx context.Context, err error) error {
	wrapped := sorted(ctx, "write keys", err)
	switch {
	case errors.Is(rpctypes.Error(err), rpctypes.ErrNoSpace):
		return fmt.Errorf("%w; raise the target's --quota-backend-bytes, disarm its alarm, and run this again", wrapped)
	case errors.Is(rpctypes.Error(err), rpctypes.ErrRequestTooLarge):
		return fmt.Errorf("%w; raise the target's --max-request-bytes, and run this again", wrapped)
	}
	return wrapped
}

// Verify reads all that the target holds now, and compares keys, values and leases by hash.
// ErrDiffers.
func (s *Sink) Verify(ctx context.Context, c Contents, done func(keys, bytes int64)) (*Digest, error) {
	rev, err := s.source.Current(ctx)
	if err != nil {
		return nil, err
	}
	ours, theirs := NewValuesDigest(), NewValuesDigest()
	for kv, err := range c.Keys() {
		if err != nil {
			return nil, err
		}
		ours.Add(kv)
	}
	for kv, err := range s.source.Keys(ctx, rev) {
		if err != nil {
			return nil, err
		}
		theirs.Add(kv)
		if done != nil {
			done(1, int64(len(kv.Key)+len(kv.Value)))
		}
	}
	if ours.String() != theirs.String() {
		return theirs, fmt.Errorf("%w: %d keys of %d bytes were to be written, and %d of %d are there", ErrDiffers, ours.Keys, ours.Bytes, theirs.Keys, theirs.Bytes)
	}
	return theirs, nil
}

// Current is the target's revision.
func (s *Sink) Current(ctx context.Context) (int64, error) { return s.source.Current(ctx) }
