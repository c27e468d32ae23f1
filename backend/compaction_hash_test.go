package backend_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/backend/state"
)

func compactAt(t testing.TB, b *backend.Backend, rev int64) {
	t.Helper()
	_, err := b.Compact(within(t), &pb.CompactionRequest{Revision: rev})
	require.NoError(t, err)
}

// requireHash asks for a hash, and gets that one.
func requireHash(t testing.TB, b *backend.Backend, rev int64, hash uint32, compactRev int64) {
	t.Helper()
	get(t, b, "x") // b knows all that was acknowledged
	r, err := b.HashKV(within(t), &pb.HashKVRequest{Revision: rev})
	require.NoError(t, err)
	require.Equal(t, []int64{int64(hash), compactRev, rev}, []int64{int64(r.Hash), r.CompactRevision, r.HashRevision})
	require.Equal(t, int64(b.View().Rev()), r.Header.Revision)
}

// The hash at a revision is what it was, and on all members the same, once that
// was compacted at, and once all is gone that it was made of. The figure is that
// of etcd 3.7.3, before and after.
func TestHashKVAtACompaction(t *testing.T) {
	const etcds = 2360927548
	e := memlog.New()
	a, b := openMem(t, e, "a"), openMem(t, e, "b")
	put(t, a, "k", "1")
	put(t, a, "k", "2")
	put(t, a, "j", "2")
	_, err := a.DeleteRange(within(t), &pb.DeleteRangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	everywhere := func() {
		for _, member := range []*backend.Backend{a, b} {
			requireHash(t, member, 5, etcds, -1)
		}
	}
	everywhere()
	compactAt(t, a, 5)
	everywhere()
	require.NoError(t, a.CompactedPhysically(within(t), 5))
	everywhere()
	now, err := a.HashKV(within(t), &pb.HashKVRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 5, now.CompactRevision, "the current one is computed, as by etcd")

	// As an etcd that was restarted.
	late := openMem(t, e, "late")
	requireHash(t, late, 5, now.Hash, 5)

	// The newest ten are kept, below the floor too.
	for rev := int64(6); rev <= 14; rev++ {
		require.Equal(t, rev, put(t, a, "j", "v"))
		compactAt(t, a, rev)
		everywhere()
	}
	compactAt(t, a, put(t, a, "j", "v"))
	for _, member := range []*backend.Backend{a, b} {
		get(t, member, "x")
		_, err = member.HashKV(within(t), &pb.HashKVRequest{Revision: 5})
		require.ErrorIs(t, err, state.ErrCompacted)
	}
}

// A compaction at 0 is one, and 0 goes on to mean the current revision.
func TestHashKVAfterACompactionAtZero(t *testing.T) {
	b := openMem(t, memlog.New(), "a")
	compactAt(t, b, 0)
	for range 3 {
		rev := put(t, b, "k", "v")
		want, err := b.HashKV(within(t), &pb.HashKVRequest{Revision: rev})
		require.NoError(t, err)
		got, err := b.HashKV(within(t), &pb.HashKVRequest{})
		require.NoError(t, err)
		require.Equal(t, want.Hash, got.Hash)
		require.Equal(t, rev, got.HashRevision)
	}
}

// Compactions one right after the other, on two members that are asked by many
// while others write: both tell one hash for each, since the floor before, and
// what was compacted does go in the end.
func TestHashKVAtManyCompactions(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	e := memlog.New()
	members := []*backend.Backend{openMem(t, e, "a"), openMem(t, e, "b")}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i := range 2 {
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					put(t, members[i%2], fmt.Sprint(n%20), fmt.Sprint(i, n))
				}
			}
		})
	}
	floor := int64(-1)
	for range 15 {
		rev := put(t, members[0], fmt.Sprint(random.IntN(20)), "v")
		before, err := members[0].HashKV(within(t), &pb.HashKVRequest{Revision: rev})
		require.NoError(t, err)
		require.Equal(t, floor, before.CompactRevision)
		compactAt(t, members[random.IntN(2)], rev)
		for _, b := range members {
			requireHashOf(t, b, before)
		}
		floor = rev
	}
	close(stop)
	writers.Wait()
	for _, b := range members {
		require.NoError(t, b.CompactedPhysically(within(t), floor))
	}
}

func requireHashOf(t testing.TB, b *backend.Backend, want *pb.HashKVResponse) {
	t.Helper()
	get(t, b, "x")
	got, err := b.HashKV(within(t), &pb.HashKVRequest{Revision: want.HashRevision})
	require.NoError(t, err)
	require.Equal(t, want.Hash, got.Hash)
	require.Equal(t, want.CompactRevision, got.CompactRevision)
}

// A backend that has ended tells no hash, whether it was computed or not.
func TestHashKVOfAClosedBackend(t *testing.T) {
	b := openMem(t, memlog.New(), "a")
	rev := put(t, b, "k", "v")
	compactAt(t, b, rev)
	require.NoError(t, b.Close())
	_, err := b.HashKV(within(t), &pb.HashKVRequest{Revision: rev})
	require.ErrorIs(t, err, backend.ErrClosed)
}
