package etcddb

import (
	"context"
	"hash/crc32"

	"github.com/zkine/zkine/backend/state"
)

// Hasher computes etcd's hash of a whole database, over the one that a snapshot
// would send. What it leaves out is what etcd leaves out: the place in the log,
// the term and the storage version. A hash reads everything, so one is computed
// at a time, and serves every caller that asks for the same state.
type Hasher struct {
	// computing has something in it while a caller uses last and hash.
	computing chan struct{}
	// last is the state of which hash is known; nil before the first.
	last *identity
	hash uint32
}

// NewHasher returns one that knows no hash yet.
func NewHasher() *Hasher { return &Hasher{computing: make(chan struct{}, 1)} }

// Hash is the hash of the database of a view that source shows; see Source.Show.
// It also returns that view. Errors: those of Source.Show, the cause of ctx's end.
func (h *Hasher) Hash(ctx context.Context, source Source) (v *state.View, hash uint32, err error) {
	select {
	case h.computing <- struct{}{}:
		defer func() { <-h.computing }()
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	}
	err = source.Show(func(shown *state.View) error {
		v = shown
		hash, err = h.of(ctx, shown)
		return err
	})
	return v, hash, err
}

func (h *Hasher) of(ctx context.Context, v *state.View) (uint32, error) {
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
