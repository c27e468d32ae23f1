package backend_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zklog"
)

// overwrite puts some keys, each many times over.
func overwrite(t *testing.T, b *backend.Backend, rounds int) (rev int64) {
	t.Helper()
	for i := range rounds {
		rev = put(t, b, fmt.Sprint("key", i%10), fmt.Sprint(i)+noise(2000))
	}
	return rev
}

// TestPhysicalCompaction asks a member that is not the keeper: when it returns,
// what was compacted is gone from memory; soon after it is from ZooKeeper, or at
// the latest when somebody has waited for a defragmentation.
func TestPhysicalCompaction(t *testing.T) {
	z := memzk.New()
	a, b := openOn(t, z, "a"), openOn(t, z, "b")
	rev := overwrite(t, a, 300)
	before := z.Bytes("/zkine")
	_, err := b.Compact(within(t), &pb.CompactionRequest{Revision: rev, Physical: true})
	require.NoError(t, err)
	require.NoError(t, b.CompactedPhysically(within(t), rev))
	require.Equal(t, rev, b.CompactedTo())
	eventually(t, "ZooKeeper holds little", func() bool { return z.Bytes("/zkine") < before/5 })
	require.NoError(t, b.Defragment(within(t)))
	sizes := b.Status().Sizes
	require.InDelta(t, z.Bytes("/zkine"), sizes.Total(), 4<<10)
	require.Less(t, sizes.Total()-sizes.Live, int64(4<<10), "nothing else is there")
	put(t, a, "key0", "goes on")
	sameState(t, a, b)
	c := openOn(t, z, "c")
	sameState(t, a, c)
	verified(t, z)
}

// sealsOf counts how often a segment is sealed while f runs: each
// defragmentation begins with that. The keeper may still remove, on its own, what an
// earlier one has left.
func sealsOf(z *memzk.Ensemble, f func()) (n int64) {
	var count atomic.Int64
	z.SetFault(func(ops []any) memzk.Fault {
		for _, op := range ops {
			if set, ok := op.(*zk.SetDataRequest); ok && set.Path == "/zkine/log" {
				count.Add(1)
			}
		}
		return memzk.None
	})
	f()
	z.SetFault(nil)
	return count.Load()
}

// TestTidyUpIsShared: whoever is asked after another member has defragmented, or
// once more, finds nothing to do, until something was compacted.
func TestTidyUpIsShared(t *testing.T) {
	z := memzk.New()
	a, b, c := openOn(t, z, "a"), openOn(t, z, "b"), openOn(t, z, "c")
	rev := overwrite(t, a, 300)
	put(t, b, "few", "bytes")
	require.NoError(t, a.Defragment(within(t)))
	for _, m := range []*backend.Backend{b, c, a} {
		require.Zero(t, sealsOf(z, func() { require.NoError(t, m.Defragment(within(t))) }))
	}
	late := openOn(t, z, "late")
	require.Zero(t, sealsOf(z, func() { require.NoError(t, late.Defragment(within(t))) }))

	_, err := a.Compact(within(t), &pb.CompactionRequest{Revision: rev})
	require.NoError(t, err)
	require.NotZero(t, sealsOf(z, func() { require.NoError(t, c.Defragment(within(t))) }), "something was compacted")
	require.Zero(t, sealsOf(z, func() { require.NoError(t, b.Defragment(within(t))) }))
	overwrite(t, a, 300)
	require.NotZero(t, sealsOf(z, func() { require.NoError(t, b.Defragment(within(t))) }), "much was logged")
	verified(t, z)
}

// TestTidyUpsOfManyCallers who ask while one is done share what is left of it.
func TestTidyUpsOfManyCallers(t *testing.T) {
	z := memzk.New()
	a := openOn(t, z, "a")
	rev := overwrite(t, a, 300)
	_, err := a.Compact(within(t), &pb.CompactionRequest{Revision: rev})
	require.NoError(t, err)
	require.EqualValues(t, 1, sealsOf(z, func() { require.NoError(t, a.Defragment(within(t))) }))
	_, err = a.Compact(within(t), &pb.CompactionRequest{Revision: overwrite(t, a, 300)})
	require.NoError(t, err)
	together := sealsOf(z, func() {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { assert.NoError(t, a.Defragment(within(t))) })
		}
		all.Wait()
	})
	require.LessOrEqual(t, together, int64(2))
}

func verified(t *testing.T, z *memzk.Ensemble) {
	t.Helper()
	v, err := zklog.Verify(within(t), zklog.Config{Dialer: z, Root: "/zkine"})
	require.NoError(t, err)
	require.Empty(t, v.Findings)
}

// TestTidyUpsAtOnce has two members defragment again and again, one of them
// often with housekeeping of its own besides, while clients write and compact.
func TestTidyUpsAtOnce(t *testing.T) {
	z := memzk.New()
	a, b := openOn(t, z, "a"), openOn(t, z, "b", busyHousekeeping)
	var all sync.WaitGroup
	for _, m := range []*backend.Backend{a, b} {
		all.Go(func() {
			for i := range 500 {
				resp, err := m.Put(within(t), &pb.PutRequest{Key: fmt.Appendf(nil, "key%d", i%50), Value: []byte(noise(500))})
				if assert.NoError(t, err) && i%100 == 99 {
					m.Compact(within(t), &pb.CompactionRequest{Revision: resp.Header.Revision - 20}) //nolint:errcheck // the other may have
				}
			}
		})
		for range 2 {
			all.Go(func() {
				for range 3 {
					assert.NoError(t, m.Defragment(within(t)))
				}
			})
		}
	}
	all.Wait()
	sameState(t, a, b)
	verified(t, z)
	sameState(t, a, openOn(t, z, "c"))
}

// TestTidyUpEndsAtEachStep loses the connection at each write of a
// defragmentation, before or after it took effect: the next one finishes what is left.
func TestTidyUpEndsAtEachStep(t *testing.T) {
	for _, fault := range []memzk.Fault{memzk.LoseRequest, memzk.LoseReply} {
		for step, more := 0, true; more; step++ {
			z := memzk.New()
			a := openOn(t, z, "a")
			overwrite(t, a, 30)
			left := step
			z.SetFault(func([]any) memzk.Fault {
				if left--; left == -1 {
					return fault
				}
				return memzk.None
			})
			err := a.Defragment(within(t))
			z.SetFault(nil)
			more = left < 0
			if !more {
				require.NoError(t, err)
				t.Logf("fault %v: %d steps", fault, step)
			}
			require.NoError(t, a.Defragment(within(t)), "step %d", step)
			verified(t, z)
			sizes := a.Status().Sizes
			require.Less(t, sizes.Total()-sizes.Live, int64(4<<10), "step %d", step)
			put(t, a, "key0", "goes on")
			b := openOn(t, z, "b")
			sameState(t, a, b)
			require.NoError(t, b.Close())
			require.NoError(t, a.Close())
		}
	}
}

// TestDefragmentGoesOn for a client that has gone.
func TestDefragmentGoesOn(t *testing.T) {
	z := memzk.New()
	a := openOn(t, z, "a")
	overwrite(t, a, 100)
	ctx, cancel := context.WithCancel(within(t))
	z.SetFault(func(ops []any) memzk.Fault { cancel(); return memzk.None })
	require.ErrorIs(t, a.Defragment(ctx), context.Canceled)
	z.SetFault(nil)
	eventually(t, "it is done all the same", func() bool {
		s := a.Status().Sizes
		return s.Checkpoint > 0 && s.Total()-s.Live < 4<<10
	})
}
