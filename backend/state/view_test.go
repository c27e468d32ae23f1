package state

import (
	"fmt"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// TestViewKeys: keys come in order, each once, whether there are more than are decoded at
// a time or none, and those with a prefix alone.
func TestViewKeys(t *testing.T) {
	b := newBench(t)
	var all, some []string
	for i := range 2*keysAtOnce + 3 {
		for _, prefix := range []string{"a/", "b/"} {
			key := fmt.Sprintf("%s%04d", prefix, i)
			b.ok(putOf(key, "v"))
			if all = append(all, key); prefix == "b/" {
				some = append(some, key)
			}
		}
	}
	b.ok(putOf("b0", "v")) // right behind the prefix
	all = append(all, "b0")
	slices.Sort(all)
	v := b.View()
	for prefix, want := range map[string][]string{"": all, "b/": some, "b/0000": {"b/0000"}, "c": nil} {
		var got []string
		for kv, err := range v.Keys(prefix) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(kv.Key))
		}
		if !slices.Equal(want, got) {
			t.Errorf("prefix %q: %d keys, want %d", prefix, len(got), len(want))
		}
	}
	for kv, err := range v.Keys("") {
		if err != nil || string(kv.Key) != all[0] {
			t.Errorf("the first key is %v, %v", kv, err)
		}
		break // and it is not read on
	}
}

// TestOldViews reads views while the machine goes on: what a view said once it
// says for ever, or that it is compacted.
func TestOldViews(t *testing.T) {
	g := &gen{Rand: newRand(t)}
	b := newBench(t)
	questions := make(chan question, 64)
	done := make(chan error)
	const readers = 4
	for range readers {
		go func() { done <- readAgain(questions) }()
	}
	for range 1500 {
		v := b.View()
		g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
		r := g.rangeRequest()
		if want, err := v.Range(r); err == nil {
			questions <- question{v, r, want}
		}
		next := g.request()
		if g.oneIn(50) {
			b.failpoint = failAt(map[*recordpb.Request]int{next: 0})
		}
		b.Apply(b.slot(next))
		b.failpoint = nil
		b.CompactPhysically(g.IntN(4))
	}
	close(questions)
	for range readers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// question is what a view was asked, and said.
type question struct {
	view *View
	r    *pb.RangeRequest
	want *pb.RangeResponse
}

func readAgain(questions <-chan question) (err error) {
	var asked []question
	for q := range questions {
		asked = append(asked, q)
		for _, q := range asked[max(0, len(asked)-20):] {
			got, gotErr := q.view.Range(q.r)
			old := q.r.Revision > 0 && q.r.Revision < int64(q.view.Rev())
			switch {
			case gotErr == ErrCompacted && old:
			case gotErr != nil || !proto.Equal(got, q.want):
				err = fmt.Errorf("%v: %v, %v; want %v", q.r, gotErr, got, q.want)
			}
		}
		readHistory(asked[max(0, len(asked)-10)].view)
	}
	return err
}

// readHistory touches all that is left of a view, for the race detector.
func readHistory(v *View) {
	for rev := v.CompactRev(); rev <= v.Rev(); rev++ {
		c, _ := v.Change(rev)
		for _, e := range c.Events {
			e.Proto(true, v.CompactRev())
		}
	}
	for l := range v.Leases() {
		for range l.Keys() {
		}
	}
	v.Digest()  //nolint:errcheck // that they read is what counts
	v.HashKV(0) //nolint:errcheck // likewise
}
