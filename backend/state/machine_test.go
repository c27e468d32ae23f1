package state

import (
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// TestRandom compares the machine with the model, request by request, and then
// everything that can be read.
func TestRandom(t *testing.T) {
	rounds, steps := 60, 300
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		b, model := newBench(t), newModel()
		g := &gen{Rand: newRand(t)}
		for range steps {
			g.rev, g.floor = model.rev, model.floor
			r := g.request()
			if g.oneIn(8) {
				r = g.own(b.View())
			}
			want, wantErr := model.apply(r)
			a := b.Apply(b.slot(r))
			same(t, r.String(), a.Results[0].Response, a.Results[0].Err, want, wantErr)
			if g.oneIn(3) {
				b.CompactPhysically(1 + g.IntN(6))
			}
			g.rev, g.floor = model.rev, model.floor
			compareReads(t, g, b.View(), model)
		}
		for b.CompactPhysically(1) {
		}
		g.rev, g.floor = model.rev, model.floor
		for range 50 {
			compareReads(t, g, b.View(), model)
		}
		compareAll(t, b.View(), model)
	}
}

func compareReads(t *testing.T, g *gen, v *View, model *model) {
	t.Helper()
	if int64(v.Rev()) != model.rev || int64(v.CompactRev()) != model.floor {
		t.Fatalf("at revision %d, floor %d, want %d, %d", v.Rev(), v.CompactRev(), model.rev, model.floor)
	}
	for range 3 {
		r := g.rangeRequest()
		got, err := v.Range(r)
		want, wantErr := model.rangeRequest(r)
		same(t, r.String(), got, err, want, wantErr)
	}
	if txn := g.txn(0); IsReadOnly(txn) {
		got, err := v.ReadTxn(txn)
		want, wantErr := model.evaluate(request(txn))
		same(t, txn.String(), got, err, want, wantErr)
	}
	compareChange(t, v, model, revision.Rev(g.floor-2+g.Int64N(g.rev-g.floor+6)))
	compareLease(t, v, model, g.lease())
}

func compareAll(t *testing.T, v *View, model *model) {
	t.Helper()
	for rev := revision.Rev(-1); rev <= v.Rev()+1; rev++ {
		compareChange(t, v, model, rev)
	}
	bytes, live := int64(0), model.at(model.rev)
	for _, kv := range live {
		bytes += int64(len(kv.Key) + len(kv.Value))
	}
	if v.store.liveBytes != bytes || v.NumKeys() != len(live) {
		t.Fatalf("%d keys of %d bytes, want %d of %d", v.NumKeys(), v.store.liveBytes, len(live), bytes)
	}
	n := 0
	last := int64(-1 << 62)
	for l := range v.Leases() {
		if n++; l.ID <= last {
			t.Fatalf("lease %d after %d", l.ID, last)
		}
		last = l.ID
		compareLease(t, v, model, l.ID)
	}
	if n != len(model.leases) {
		t.Fatalf("%d leases, want %d", n, len(model.leases))
	}
}

func compareLease(t *testing.T, v *View, model *model, id int64) {
	t.Helper()
	got, ok := v.Lease(id)
	want := model.leases[id]
	if ok != (want != nil) {
		t.Fatalf("lease %d: exists %v, want %v", id, ok, want != nil)
	}
	if !ok {
		return
	}
	if got.TTL != want.ttl || got.Remaining != want.remaining || got.Renewed != want.renewed {
		t.Fatalf("lease %d: %+v, want %+v", id, got, want)
	}
	keys := model.attached(id)
	if !slices.Equal(slices.Collect(got.Keys()), keys) || got.NumKeys() != len(keys) {
		t.Fatalf("lease %d: keys %q, want %q", id, slices.Collect(got.Keys()), keys)
	}
}

func compareChange(t *testing.T, v *View, model *model, rev revision.Rev) {
	t.Helper()
	c, ok := v.Change(rev)
	if want := rev >= v.CompactRev() && rev >= 1 && rev <= v.Rev(); ok != want {
		t.Fatalf("change %d: %v, want %v", rev, ok, want)
	}
	if !ok {
		return
	}
	var want []*mvccpb.Event
	for _, w := range model.written {
		if w.kv.ModRevision != int64(rev) {
			continue
		}
		event := &mvccpb.Event{Kv: w.kv}
		if w.deleted() {
			event.Type = mvccpb.Event_DELETE
		}
		if w.kv.CreateRevision != w.kv.ModRevision && w.kv.ModRevision-1 >= model.floor {
			for _, kv := range model.in(w.kv.ModRevision-1, w.kv.Key, nil) {
				event.PrevKv = kv
			}
		}
		want = append(want, event)
	}
	if len(c.Events) != len(want) || c.Rev != rev {
		t.Fatalf("change %d: %d events, want %d", rev, len(c.Events), len(want))
	}
	for i, e := range c.Events {
		same(t, "event", e.Proto(true, v.CompactRev()), nil, want[i], nil)
		if e.Key() != string(want[i].Kv.Key) || e.IsDelete() != (want[i].Type == mvccpb.Event_DELETE) || e.Rev() != rev {
			t.Fatalf("change %d: event of %q", rev, e.Key())
		}
	}
}

// TestDeterminism feeds two machines the same slots. One compacts physically and is looked
// at all the time, the other not: they must answer the same and be the same.
func TestDeterminism(t *testing.T) {
	for range 20 {
		g := &gen{Rand: newRand(t)}
		var w slotWriter
		one, other := New(), New()
		for range 150 {
			v := one.View()
			g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
			if g.oneIn(20) {
				w.rotate()
			}
			var requests []*recordpb.Request
			for range g.IntN(6) {
				requests = append(requests, g.request(), g.own(v))
			}
			slot := w.slot(requests...)
			a, b := one.Apply(slot), other.Apply(slot)
			if g.oneIn(10) {
				if !one.Apply(slot).Duplicate || !other.Apply(slot).Duplicate {
					t.Fatal("a duplicate was applied")
				}
			}
			compareApplied(t, a, b)
			one.CompactPhysically(g.IntN(8))
			if x, y := digestOf(t, one), digestOf(t, other); x != y {
				t.Fatalf("digests %x, %x after %v", x, y, slot)
			}
		}
		for one.CompactPhysically(3) {
		}
		if x, y := digestOf(t, one), digestOf(t, other); x != y {
			t.Fatalf("digests %x, %x in the end", x, y)
		}
	}
}

func compareApplied(t *testing.T, a, b Applied) {
	t.Helper()
	if a.Duplicate != b.Duplicate || len(a.Results) != len(b.Results) || !slices.Equal(a.Leases, b.Leases) {
		t.Fatalf("%+v, %+v", a, b)
	}
	for i := range a.Results {
		same(t, "result", a.Results[i].Response, a.Results[i].Err, b.Results[i].Response, b.Results[i].Err)
	}
}

// TestPanic lets requests panic at any change that they make: that must be as
// if they had not been there, but for the number that they take.
func TestPanic(t *testing.T) {
	for range 30 {
		g := &gen{Rand: newRand(t)}
		var w slotWriter
		one, other := New(), New()
		for range 60 {
			v := one.View()
			g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
			var requests, spared []*recordpb.Request
			fuses := map[*recordpb.Request]int{}
			for range 1 + g.IntN(8) {
				r := g.request()
				requests = append(requests, r)
				if g.oneIn(4) {
					fuses[r] = g.IntN(3)
				}
			}
			one.failpoint = failAt(fuses)
			slot := w.slot(requests...)
			a := one.Apply(slot)
			for i, r := range requests {
				if a.Results[i].Err == ErrEvaluation {
					r = &recordpb.Request{} // changes nothing
				}
				spared = append(spared, r)
			}
			slot.Requests = spared
			b := other.Apply(slot)
			for i := range a.Results {
				if a.Results[i].Err == ErrEvaluation {
					b.Results[i] = a.Results[i]
				}
			}
			compareApplied(t, a, b)
			if x, y := digestOf(t, one), digestOf(t, other); x != y {
				t.Fatalf("digests %x, %x", x, y)
			}
			one.CompactPhysically(g.IntN(8))
		}
	}
}

// failAt panics at the n-th change of each request that it has a number for.
func failAt(fuses map[*recordpb.Request]int) func(*recordpb.Request) {
	at := map[*recordpb.Request]int{}
	var last *recordpb.Request
	return func(r *recordpb.Request) {
		if r != last {
			at[r], last = 0, r
		}
		if n, ok := fuses[r]; ok && at[r] == n {
			last = nil
			panic("injected")
		}
		at[r]++
	}
}

func TestDuplicate(t *testing.T) {
	b := newBench(t)
	first := b.slot(request(&pb.PutRequest{Key: []byte("k")}))
	if a := b.Apply(first); a.Duplicate || a.Results[0].Err != nil {
		t.Fatalf("%+v", a)
	}
	again := b.slot(first.Requests...)
	again.Nonce, again.Term = first.Nonce, 9
	if a := b.Apply(again); !a.Duplicate || a.Results != nil {
		t.Fatalf("%+v", a)
	}
	v := b.View()
	if v.Rev() != 2 || v.Seq() != again.Seq || v.Term() != 9 {
		t.Fatalf("revision %d, at %v, term %d", v.Rev(), v.Seq(), v.Term())
	}
	b.rotate()
	next := b.slot(first.Requests...)
	next.Nonce, next.Term = first.Nonce, 4
	if a := b.Apply(next); a.Duplicate {
		t.Fatal("a nonce outlived its segment")
	}
	if v := b.View(); v.Rev() != 3 || v.Term() != 9 {
		t.Fatalf("revision %d, term %d", v.Rev(), v.Term())
	}
}
