package state

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/revision/recordpb"
)

// small makes chunks of a few keys.
var small = chunking{min: 60, max: 300, mask: 1}

func checkpoint(t testing.TB, v *View, c chunking) (meta []byte, chunks [][]byte) {
	t.Helper()
	meta, err := v.CheckpointMeta()
	require.NoError(t, err)
	require.NoError(t, v.checkpointKeys(c, nextChunk, func(chunk []byte) bool {
		chunks = append(chunks, chunk)
		return true
	}))
	var lent [][]byte
	require.NoError(t, v.checkpointKeys(c, sameMemory, func(chunk []byte) bool {
		lent = append(lent, bytes.Clone(chunk))
		return true
	}))
	require.Equal(t, chunks, lent)
	return meta, chunks
}

// restore restores a machine, and has Judge say the same.
func restore(meta []byte, chunks [][]byte) (*Machine, error) {
	all := func(yield func([]byte, error) bool) {
		for _, c := range chunks {
			if !yield(c, nil) {
				return
			}
		}
	}
	m, err := Restore(meta, all)
	if disagreed := judgeAgrees(meta, all, m, err); disagreed != nil {
		return nil, disagreed
	}
	return m, err
}

// judgeAgrees is an error unless Judge finds what Restore has: a machine, or an error.
func judgeAgrees(meta []byte, chunks iter.Seq2[[]byte, error], m *Machine, failed error) error {
	var told []*mvccpb.KeyValue
	judged, err := Judge(meta, chunks, func(kv *mvccpb.KeyValue) { told = append(told, proto.CloneOf(kv)) })
	if fmt.Sprint(err) != fmt.Sprint(failed) {
		return fmt.Errorf("judged: %w, restored: %w", err, failed)
	}
	if err != nil {
		return nil
	}
	hash, err := m.View().HashKV(0)
	if err != nil {
		return err
	}
	if want := (Judged{hash, m.View().NumKeys()}); judged != want {
		return fmt.Errorf("judged: %v, restored: %v", judged, want)
	}
	for kv, err := range m.View().Keys("") {
		if err != nil {
			return err
		}
		if len(told) == 0 || !proto.Equal(kv, told[0]) {
			return fmt.Errorf("key %q was not told", kv.Key)
		}
		told = told[1:]
	}
	if len(told) > 0 {
		return fmt.Errorf("key %q was told", told[0].Key)
	}
	return nil
}

// TestCheckpointReplaysTheSame restores machines from checkpoints at segment
// boundaries, and feeds them what follows: they must answer and be as the
// original, which went through everything.
func TestCheckpointReplaysTheSame(t *testing.T) {
	for range 20 {
		g := &gen{Rand: newRand(t)}
		var w slotWriter
		model := newModel()
		original := New()
		var restored []*Machine
		for range 150 {
			v := original.View()
			g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
			if g.oneIn(15) {
				meta, chunks := checkpoint(t, v, small)
				m, err := restore(meta, chunks)
				require.NoError(t, err)
				again, sameChunks := checkpoint(t, m.View(), small)
				require.Equal(t, meta, again)
				require.Equal(t, chunks, sameChunks)
				restored = append(restored, m)
				w.rotate()
			}
			var requests []*recordpb.Request
			for range g.IntN(6) {
				requests = append(requests, g.request(), g.own(v))
			}
			slot := w.slot(requests...)
			want := original.Apply(slot)
			for _, r := range requests {
				model.apply(r) //nolint:errcheck // compared elsewhere
			}
			g.rev, g.floor = model.rev, model.floor
			for _, m := range restored {
				compareApplied(t, want, m.Apply(slot))
				compareReads(t, g, m.View(), model)
				require.Equal(t, digestOf(t, original), digestOf(t, m))
				m.CompactPhysically(g.IntN(8))
			}
			original.CompactPhysically(g.IntN(8))
		}
		for _, m := range restored {
			for m.CompactPhysically(100) {
			}
			compareAll(t, m.View(), model)
			require.Equal(t, digestOf(t, original), digestOf(t, m))
		}
	}
}

// TestUnchangedChunksStay changes one key in many, and expects nearly all
// chunks to be the same bytes as before.
func TestUnchangedChunksStay(t *testing.T) {
	b := loaded(t, 20_000, bytes.Repeat([]byte("v"), 100))
	c := chunking{min: 20_000, max: 200_000, mask: 15}
	_, before := checkpoint(t, b.View(), c)
	require.Greater(t, len(before), 20)
	b.Apply(b.slot(request(&pb.PutRequest{Key: podKey(777), Value: []byte("changed")}),
		request(&pb.PutRequest{Key: []byte("/registry/pods/namespace-05/new"), Value: []byte("new")})))
	_, after := checkpoint(t, b.View(), c)
	fresh := 0
	for _, chunk := range after {
		if !slices.ContainsFunc(before, func(old []byte) bool { return bytes.Equal(old, chunk) }) {
			fresh++
		}
	}
	require.LessOrEqual(t, fresh, 6, "of %d chunks", len(after))
}

func TestDamagedCheckpointIsRefused(t *testing.T) {
	b := loaded(t, 50, []byte("value"))
	meta, chunks := checkpoint(t, b.View(), small)
	require.Greater(t, len(chunks), 3)
	whole, err := restore(meta, chunks)
	require.NoError(t, err)
	require.Equal(t, digestOf(t, b.Machine), digestOf(t, whole))
	cases := map[string][][]byte{
		"a chunk is missing":   chunks[1:],
		"chunks are swapped":   append([][]byte{chunks[1], chunks[0]}, chunks[2:]...),
		"a chunk comes twice":  append([][]byte{chunks[0]}, chunks...),
		"a chunk is cut short": append([][]byte{chunks[0][:len(chunks[0])-1]}, chunks[1:]...),
		"not a chunk":          {[]byte("hello")},
	}
	for name, damaged := range cases {
		_, err := restore(meta, damaged)
		require.ErrorIs(t, err, ErrBadCheckpoint, name)
	}
	_, err = restore([]byte{0xff}, chunks)
	require.ErrorIs(t, err, ErrBadCheckpoint)
	stop := errors.New("stop")
	_, err = Restore(meta, func(yield func([]byte, error) bool) { yield(nil, stop) })
	require.ErrorIs(t, err, stop)
}

func FuzzRestore(f *testing.F) {
	b := loaded(f, 5, []byte("v"))
	meta, chunks := checkpoint(f, b.View(), usual)
	f.Add(meta, chunks[0])
	for _, seed := range restorable(f) {
		f.Add(seed.meta, bytes.Join(seed.chunks, nil))
		for i := range seed.meta {
			damaged := bytes.Clone(seed.meta)
			damaged[i] ^= 0x40
			f.Add(damaged, bytes.Join(seed.chunks, nil))
		}
	}
	for _, m := range impossible() {
		wire, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(wire, chunks[0])
		f.Add(wire, []byte(nil))
	}
	f.Fuzz(func(t *testing.T, meta, chunk []byte) {
		m, err := restore(meta, [][]byte{chunk})
		if err != nil {
			require.ErrorIs(t, err, ErrBadCheckpoint)
			return
		}
		again, chunks := checkpoint(t, m.View(), usual)
		twin, err := restore(again, chunks)
		require.NoError(t, err)
		require.Equal(t, digestOf(t, m), digestOf(t, twin))
	})
}

func BenchmarkRestore(b *testing.B) {
	source := loaded(b, 100_000, bytes.Repeat([]byte("v"), 1000))
	meta, chunks := checkpoint(b, source.View(), usual)
	b.ReportMetric(float64(len(chunks)), "chunks")
	for b.Loop() {
		if _, err := restore(meta, chunks); err != nil {
			b.Fatal(err)
		}
	}
}
