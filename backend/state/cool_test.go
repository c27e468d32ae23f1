package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/packed"
	"github.com/zkine/zkine/revision/recordpb"
)

// packing is a machine that packs whatever is above room bytes.
func packing(m *Machine, room int64) *Machine {
	m.pool = packed.NewPool(room)
	return m
}

// object is a value of some hundred bytes that is like others, or that is not.
func object(r *rand.Rand) []byte {
	if r.IntN(6) == 0 {
		b := make([]byte, r.IntN(400))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	text := strings.Repeat(`{"kind":"Pod","managedFields":{"f:status":{}}}`, 3+r.IntN(12))
	return fmt.Appendf(nil, "%s%x", text, r.Uint64())
}

// objects is random requests that put and delete objects of few keys.
func objects(g *gen) *recordpb.Request {
	r := g.request()
	for _, op := range []*pb.PutRequest{r.GetPut()} {
		if op != nil && !op.IgnoreValue {
			op.Value = object(g.Rand)
		}
	}
	return r
}

// TestPackedIsTheSame has machines that pack everything, some and nothing apply
// the same slots: all that can be seen of them is the same, at any time.
func TestPackedIsTheSame(t *testing.T) {
	for range 10 {
		g := &gen{Rand: newRand(t)}
		var w slotWriter
		all := []*Machine{New(), packing(New(), 0), packing(New(), 3000)}
		for i := range 200 {
			v := all[0].View()
			g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
			slot := w.slot(objects(g), objects(g), request(&pb.PutRequest{Key: fmt.Appendf(nil, "many/%d", i), Value: object(g.Rand)}))
			want := all[0].Apply(slot)
			question := g.rangeRequest()
			answer, answerErr := all[0].View().Range(question)
			steps := g.IntN(8)
			all[0].CompactPhysically(steps)
			for _, m := range all[1:] {
				compareApplied(t, want, m.Apply(slot))
				got, err := m.View().Range(question)
				same(t, fmt.Sprint(question), got, err, answer, answerErr)
				m.CompactPhysically(steps)
			}
			if i%20 == 19 {
				for _, m := range all[1:] {
					sameViews(t, all[0].View(), m.View())
				}
			}
		}
		require.Greater(t, countPacked(all[1]), 10)
	}
}

// sameViews compares all that a view gives away.
func sameViews(t *testing.T, a, b *View) {
	t.Helper()
	meta, chunks := checkpoint(t, a, small)
	meta2, chunks2 := checkpoint(t, b, small)
	require.Equal(t, meta, meta2)
	require.Equal(t, chunks, chunks2)
	digest, err := a.Digest()
	require.NoError(t, err)
	digest2, err := b.Digest()
	require.NoError(t, err)
	require.Equal(t, digest, digest2)
	hash, err := a.HashKV(0)
	require.NoError(t, err)
	hash2, err := b.HashKV(0)
	require.NoError(t, err)
	require.Equal(t, hash, hash2)
	require.True(t, a.CanSucceed(b) && b.CanSucceed(a))
	for rev := max(a.CompactRev(), firstChange); rev <= a.Rev(); rev++ {
		want, _ := a.Change(rev)
		got, _ := b.Change(rev)
		require.Len(t, got.Events, len(want.Events))
		for i := range want.Events {
			require.True(t, proto.Equal(want.Events[i].Proto(true, a.CompactRev()), got.Events[i].Proto(true, b.CompactRev())))
			require.Equal(t, want.Events[i].Size(true), got.Events[i].Size(true))
		}
	}
	restored, err := restore(meta, chunks)
	require.NoError(t, err)
	require.Equal(t, digest, digestOf(t, restored))
}

// countPacked is how many versions of a machine are packed: reading one makes
// memory then.
func countPacked(m *Machine) (n int) {
	m.walkNewest(span{kind: unbounded}, func(v *version) bool {
		for ; v != nil; v = v.prev.Load() {
			if b := v.kv.Bytes(); len(b) > 0 && &b[0] != &v.kv.Bytes()[0] {
				n++
			}
		}
		return true
	})
	return n
}

// TestOldViewsOfPackedValues has readers hold what views gave them, and ask again,
// while the machine packs what they read and the collector runs.
func TestOldViewsOfPackedValues(t *testing.T) {
	g := &gen{Rand: newRand(t)}
	b := newBench(t)
	packing(b.Machine, 2000)
	questions := make(chan question, 64)
	done := make(chan error)
	const readers = 4
	for range readers {
		go func() { done <- readAgain(questions) }()
	}
	for i := range 800 {
		v := b.View()
		g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
		r := g.rangeRequest()
		if want, err := v.Range(r); err == nil {
			questions <- question{v, r, want}
		}
		b.Apply(b.slot(objects(g), objects(g)))
		b.CompactPhysically(g.IntN(4))
		if i%100 == 0 {
			runtime.GC()
		}
	}
	close(questions)
	for range readers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestDeletedIsFreed: once all keys are deleted and compacted, what they took is
// given back, packed or not.
func TestDeletedIsFreed(t *testing.T) {
	r := newRand(t)
	b := newBench(t)
	packing(b.Machine, 1<<20)
	before := liveHeap()
	const keys = 20_000
	for i := range 2 * keys {
		b.Apply(b.slot(request(&pb.PutRequest{Key: fmt.Appendf(nil, "/a/b/%d", i%keys), Value: object(r)})))
	}
	full := liveHeap()
	require.Greater(t, full, before+keys*100)
	b.ok(&pb.DeleteRangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	for range chunkLen { // what a chunk of the history refers to goes with the chunk
		b.ok(&pb.PutRequest{Key: []byte("last"), Value: bytes.Repeat([]byte("x"), 100)})
	}
	b.ok(&pb.CompactionRequest{Revision: int64(b.rev)})
	for b.CompactPhysically(1 << 20) {
	}
	require.False(t, b.pool.Full())
	// What dictionaries and their samples take stays.
	require.Less(t, liveHeap(), before+(full-before)/10+512<<10)
	runtime.KeepAlive(b)
}

func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
