package state

import (
	"fmt"
	"math"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// TestCounts compares ranks, counts and ranges over more keys than one node of
// a tree holds with counting one by one, now and at older revisions.
func TestCounts(t *testing.T) {
	g := &gen{Rand: newRand(t)}
	b := newBench(t)
	key := func() []byte { return fmt.Appendf(nil, "%04d", g.IntN(3000)) }
	at := map[revision.Rev][]string{}
	alive := map[string]bool{}
	for range 4000 {
		k := key()
		if g.oneIn(3) {
			b.ok(&pb.DeleteRangeRequest{Key: k})
			delete(alive, string(k))
		} else {
			b.ok(&pb.PutRequest{Key: k})
			alive[string(k)] = true
		}
		if g.oneIn(100) {
			var keys []string
			for k := range alive {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			at[b.View().Rev()] = keys
		}
	}
	v := b.View()
	for rev, keys := range at {
		for range 40 {
			checkCount(t, v, rev, keys, key(), key())
		}
		checkCount(t, v, rev, keys, []byte("0"), []byte{0})
		checkCount(t, v, rev, keys, key(), []byte{0})
		checkCount(t, v, rev, keys, key(), []byte("9"))
		checkCount(t, v, rev, keys, key(), nil)
	}
}

func checkCount(t *testing.T, v *View, rev revision.Rev, keys []string, lo, hi []byte) {
	t.Helper()
	sp := newSpan(lo, hi)
	want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !sp.contains(k) })
	for _, limit := range []int64{0, 1, 31, 32, 33, 500, math.MaxInt64 - 1, math.MaxInt64} {
		for _, r := range []*pb.RangeRequest{
			{Key: lo, RangeEnd: hi, Revision: int64(rev), Limit: limit},
			{Key: lo, RangeEnd: hi, Revision: int64(rev), CountOnly: true},
		} {
			resp, err := v.Range(r)
			if err != nil || resp.Count != int64(len(want)) {
				t.Fatalf("%v: count %d, want %d, error %v", r, resp.GetCount(), len(want), err)
			}
			var got []string
			for _, kv := range resp.Kvs {
				got = append(got, string(kv.Key))
			}
			if !r.CountOnly && !slices.Equal(got, want[:len(got)]) || resp.More != (len(got) < len(want) && !r.CountOnly) {
				t.Fatalf("%v: %q, more %v, of %q", r, got, resp.More, want)
			}
		}
	}
}

// TestCompactPhysically looks at what is left in memory after everything was deleted and
// compacted.
func TestCompactPhysically(t *testing.T) {
	b := newBench(t)
	for i := range 3000 {
		b.ok(&pb.PutRequest{Key: fmt.Appendf(nil, "%d", i%100), Value: []byte("v")})
	}
	b.ok(&pb.DeleteRangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	old := b.View()
	b.ok(&pb.CompactionRequest{Revision: int64(old.Rev())})
	steps := 0
	for b.CompactPhysically(10) {
		steps++
	}
	if steps < 250 {
		t.Errorf("freed in %d steps", steps)
	}
	if b.tombstones.Len() != 0 || b.live.Len() != 0 || b.liveBytes != 0 {
		t.Errorf("%d tombstones, %d live keys of %d bytes are left", b.tombstones.Len(), b.live.Len(), b.liveBytes)
	}
	if n := b.history.end - b.history.first; n > chunkLen {
		t.Errorf("%d changes are left", n)
	}
	if n := b.keyCountLog.end - b.keyCountLog.first; n > chunkLen {
		t.Errorf("%d creates and deletes are left", n)
	}
	c, ok := b.View().Change(old.Rev())
	if !ok || len(c.Events) != 100 || c.Events[0].Proto(true, b.View().CompactRev()).PrevKv != nil {
		t.Errorf("the change at the floor: %v, %v", c, ok)
	}
	if _, err := old.Range(&pb.RangeRequest{Key: []byte("1"), Revision: 50}); err != ErrCompacted {
		t.Errorf("the old view at a freed revision: %v", err)
	}
	if resp, err := old.Range(&pb.RangeRequest{Key: []byte("1")}); err != nil || resp.Count != 0 {
		t.Errorf("the old view at its own revision: %v, %v", resp, err)
	}
}

// loaded is a machine with n keys "/registry/pods/<i>" of a value.
func loaded(t testing.TB, n int, value []byte) *bench {
	b := newBench(t)
	for i := 0; i < n; {
		var requests []*recordpb.Request
		for ; i < n && len(requests) < 100; i++ {
			requests = append(requests, request(&pb.PutRequest{Key: podKey(i), Value: value}))
		}
		b.Apply(b.slot(requests...))
	}
	return b
}

func podKey(i int) []byte { return fmt.Appendf(nil, "/registry/pods/namespace-%02d/pod-%07d", i%37, i) }
