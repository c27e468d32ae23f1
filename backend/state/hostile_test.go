package state

import (
	"bytes"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

type saved struct {
	meta   []byte
	chunks [][]byte
}

// restorable is checkpoints of states with all that states have.
func restorable(t testing.TB) (all []saved) {
	g := &gen{Rand: rand.New(rand.NewPCG(5, 6))}
	var w slotWriter
	m := New()
	for i := range 120 {
		v := m.View()
		g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
		m.Apply(w.slot(g.request(), g.own(v), g.request()))
		if i%40 == 39 {
			meta, chunks := checkpoint(t, m.View(), small)
			all = append(all, saved{meta, chunks})
		}
	}
	return all
}

// impossible is metas that no state encodes.
func impossible() []*recordpb.CheckpointMeta {
	return []*recordpb.CheckpointMeta{
		{Revision: 1 << 40, CompactRevision: -1}, {Revision: 1 << 40, CompactRevision: 1<<40 - 1<<39},
		{Revision: math.MaxInt64, CompactRevision: -1}, {Revision: math.MaxInt64, CompactRevision: math.MaxInt64},
		{Revision: math.MinInt64}, {Revision: 5, CompactRevision: 6}, {Revision: 5, CompactRevision: math.MinInt64},
		{Revision: 1, CompactRevision: -1, Leases: []*recordpb.CheckpointLease{{Id: 2}, {Id: 1}}},
		{Revision: 1, CompactRevision: -1, Users: [][]byte{{0xff}}},
	}
}

// TestNoMemoryForRevisionsThatAreNotThere: a meta that names a revision far away
// costs nothing until there is a version for each revision.
func TestNoMemoryForRevisionsThatAreNotThere(t *testing.T) {
	far := newVersion("k", []byte("v"), 1<<40, 1<<40, 1, 0)
	chunk := appendCheckpointVersion(nil, far)
	for _, m := range impossible() {
		meta, err := proto.Marshal(m)
		require.NoError(t, err)
		for _, chunks := range [][][]byte{nil, {chunk}} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = restore(meta, chunks)
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, ErrBadCheckpoint, "%v", m)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "%v", m)
		}
	}
}

// TestAKeyWithMuchHistoryIsCut: whatever one key has been through, a chunk stays
// small enough to be read again.
func TestAKeyWithMuchHistoryIsCut(t *testing.T) {
	b := newBench(t)
	for range 200 {
		b.ok(&pb.PutRequest{Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 100)})
	}
	b.ok(&pb.PutRequest{Key: []byte("l")})
	c := chunking{min: 500, max: 1000, mask: 1}
	meta, chunks := checkpoint(t, b.View(), c)
	require.Greater(t, len(chunks), 20)
	for _, chunk := range chunks {
		require.Less(t, len(chunk), c.max+200)
	}
	m, err := restore(meta, chunks)
	require.NoError(t, err)
	require.Equal(t, digestOf(t, b.Machine), digestOf(t, m))
}
