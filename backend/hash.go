package backend

import (
	"context"
	"errors"
	"hash/crc32"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// HashKV is etcd's hash of the keys' history up to a revision, 0 for the
// current one, of the state as it is here: like etcd's it does not wait for
// what other members have acknowledged. For a revision that was compacted at it
// is that of before; see compaction_hash.go.
func (b *Backend) HashKV(ctx context.Context, r *pb.HashKVRequest) (response *pb.HashKVResponse, err error) {
	if err := b.failure(); err != nil {
		return nil, err
	}
	one, err := b.compactionHash(ctx, revision.Rev(r.Revision))
	if err != nil {
		return nil, err
	}
	if one != nil {
		return &pb.HashKVResponse{
			Header: &pb.ResponseHeader{Revision: int64(b.view.Load().Rev())},
			Hash:   one.sum, CompactRevision: int64(one.Before), HashRevision: int64(one.At),
		}, nil
	}
	err = b.onView(func(v *state.View) error {
		hash, err := v.HashKV(revision.Rev(r.Revision))
		response = &pb.HashKVResponse{
			Header: &pb.ResponseHeader{Revision: int64(v.Rev())},
			Hash:   hash.Hash, CompactRevision: int64(hash.CompactRev), HashRevision: int64(hash.At),
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return response, nil
}

// Hash is etcd's hash of a whole database, computed over the one that Snapshot
// would send now. What it leaves out is what etcd leaves out: the place in the
// log, the term and the storage version. It reads everything, so one is computed
// at a time, and serves all who ask for the same state.
func (b *Backend) Hash(ctx context.Context, _ *pb.HashRequest) (response *pb.HashResponse, err error) {
	select {
	case b.databaseHash.turn <- struct{}{}:
		defer func() { <-b.databaseHash.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	err = b.onView(func(v *state.View) error {
		hash, err := b.databaseHash.of(ctx, v)
		response = &pb.HashResponse{Header: &pb.ResponseHeader{Revision: int64(v.Rev())}, Hash: hash}
		return err
	})
	if err != nil {
		return nil, err
	}
	return response, nil
}

// hashes is who computes a hash, and the one that was computed last.
type hashes struct {
	turn chan struct{} // taken by whoever uses the rest
	last *identity
	hash uint32
}

// of is the hash of a view's database. Errors: state.ErrCompacted, the cause of
// ctx's end.
func (h *hashes) of(ctx context.Context, v *state.View) (uint32, error) {
	id := identify(v)
	if h.last != nil && *h.last == *id {
		return h.hash, nil
	}
	buckets, err := database(v)
	if err != nil {
		return 0, err
	}
	hash, err := hashOf(ctx, buckets)
	if err == nil {
		h.last, h.hash = id, hash
	}
	return hash, err
}

func hashOf(ctx context.Context, buckets []bucket) (uint32, error) {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, b := range buckets {
		sum.Write([]byte(b.name))
		for key, value := range b.entries {
			if ctx.Err() != nil {
				return 0, context.Cause(ctx)
			}
			if b.name == metaBucket && unhashed[string(key)] {
				continue
			}
			sum.Write(key)
			sum.Write(value)
		}
	}
	return sum.Sum32(), nil
}

// onView calls f with the published view, and again with a newer one if the
// machine scavenged meanwhile what f needed of the first. It fails if this
// zkine must not serve.
func (b *Backend) onView(f func(*state.View) error) error {
	for {
		if err := b.failure(); err != nil {
			return err
		}
		v := b.view.Load()
		err := f(v)
		if !errors.Is(err, state.ErrCompacted) || b.view.Load().CompactRev() == v.CompactRev() {
			return err
		}
	}
}
