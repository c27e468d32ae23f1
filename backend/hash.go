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
		hash, compactRev, hashRev, err := v.HashKV(revision.Rev(r.Revision))
		response = &pb.HashKVResponse{
			Header: &pb.ResponseHeader{Revision: int64(v.Rev())},
			Hash:   hash, CompactRevision: int64(compactRev), HashRevision: int64(hashRev),
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
// log, the term and the storage version.
func (b *Backend) Hash(context.Context, *pb.HashRequest) (response *pb.HashResponse, err error) {
	err = b.onView(func(v *state.View) error {
		buckets, err := database(v)
		if err != nil {
			return err
		}
		response = &pb.HashResponse{Header: &pb.ResponseHeader{Revision: int64(v.Rev())}, Hash: hashOf(buckets)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return response, nil
}

func hashOf(buckets []bucket) uint32 {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, b := range buckets {
		sum.Write([]byte(b.name))
		for key, value := range b.entries {
			if b.name == metaBucket && unhashed[string(key)] {
				continue
			}
			sum.Write(key)
			sum.Write(value)
		}
	}
	return sum.Sum32()
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
