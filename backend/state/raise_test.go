package state

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// TestRaise: at the new revision all is there, below nothing, and the next change
// makes the next revision. conformance/snapshot compares the hashes with etcd's.
func TestRaise(t *testing.T) {
	const to = 1_000_000_005
	b := newBench(t)
	b.ok(putOf("a", "1"))
	b.ok(putOf("a", "2"))
	b.ok(putOf("b", "1"))
	b.ok(&pb.DeleteRangeRequest{Key: []byte("b")})
	before := b.View()
	b.ok(&recordpb.RevisionRaise{To: to})
	b.ok(&recordpb.RevisionRaise{To: to}) // void, as all up to there
	v := b.View()
	require.EqualValues(t, to, v.Rev())
	require.EqualValues(t, to, v.CompactRev())
	for rev, want := range map[int64]error{3: ErrCompacted, to - 1: ErrCompacted, to: nil, to + 1: ErrFutureRev} {
		_, err := v.Range(&pb.RangeRequest{Key: []byte("a"), Revision: rev})
		require.ErrorIs(t, err, want, "revision %d", rev)
		_, err = v.HashKV(revision.Rev(rev))
		require.ErrorIs(t, err, want, "revision %d", rev)
	}
	c, ok := v.Change(to)
	require.True(t, ok)
	require.Empty(t, c.Events)
	_, ok = v.Change(to - 1)
	require.False(t, ok)
	b.fails(&pb.CompactionRequest{Revision: to}, ErrCompacted)
	b.fails(&recordpb.RevisionRaise{To: math.MaxInt64}, ErrMalformed)
	b.ok(putOf("c", "1"))
	require.EqualValues(t, to+1, b.View().Rev())
	require.EqualValues(t, 5, before.Rev(), "a view from before stays")
	require.Equal(t, "b", must(before.Change(4)).Events[0].Key())
	for b.CompactPhysically(1) {
	}
	require.Zero(t, b.tombstones.Len())
	kept, _ := b.live.Get("a")
	require.Nil(t, kept.prev.Load())
	require.Equal(t, 2, b.history.end-index(to))
}

func must(c Change, ok bool) Change {
	if !ok {
		panic("no change")
	}
	return c
}

// TestRaiseIsAnEntry: what etcdutl would leave in the bucket "key" stays there, until the
// next raise.
func TestRaiseIsAnEntry(t *testing.T) {
	b := newBench(t)
	b.ok(&pb.TxnRequest{Success: []*pb.RequestOp{
		{Request: &pb.RequestOp_RequestPut{RequestPut: putOf("a", "1")}},
		{Request: &pb.RequestOp_RequestPut{RequestPut: putOf("b", "1")}},
	}})
	entry := func(rev uint64) stored {
		key := binary.BigEndian.AppendUint64(nil, rev)
		return stored{binary.BigEndian.AppendUint64(append(key, '_'), 0), nil}
	}
	b.ok(&recordpb.RevisionRaise{To: 100})
	require.Equal(t, entry(100), entriesOf(t, b.View())[2])
	b.ok(&recordpb.RevisionRaise{To: 1000})
	b.ok(putOf("a", "2"))
	b.ok(&pb.CompactionRequest{Revision: 1001})
	for b.CompactPhysically(1) {
	}
	entries := entriesOf(t, b.View())
	require.Len(t, entries, 3)
	require.Equal(t, entry(1000), entries[1])
}

// TestRaiseIsRolledBack: a request that panics leaves no trace of a raise in its slot but
// the raise itself.
func TestRaiseIsRolledBack(t *testing.T) {
	b, calm := newBench(t), newBench(t)
	for _, b := range []*bench{b, calm} {
		b.ok(putOf("a", "1"))
		b.ok(putOf("a", "2"))
	}
	b.failpoint = func(r *recordpb.Request) {
		if string(r.GetPut().GetKey()) == "panics" {
			panic("as asked")
		}
	}
	slot := b.slot(request(&recordpb.RevisionRaise{To: 700}), request(putOf("panics", "")), request(putOf("a", "3")))
	require.ErrorIs(t, b.Apply(slot).Results[1].Err, ErrEvaluation)
	b.failpoint = nil
	calm.Apply(calm.slot(request(&recordpb.RevisionRaise{To: 700}), request(&recordpb.RevisionRaise{To: 1}), request(putOf("a", "3"))))
	require.Equal(t, digestOf(t, calm.Machine), digestOf(t, b.Machine))
	for b.CompactPhysically(1) {
	}
	require.Empty(t, b.history.replaced)
}
