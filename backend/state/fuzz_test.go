package state

import (
	"math/rand/v2"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// FuzzApply applies whatever may be in a log, after a little history: it must
// not panic, and two machines, of which one compacts physically, must agree.
func FuzzApply(f *testing.F) {
	g := &gen{Rand: rand.New(rand.NewPCG(1, 2)), rev: 5, floor: 2}
	for range 200 {
		add(f, g.request())
		add(f, g.own(New().View()))
	}
	add(f, &recordpb.Request{})
	add(f, request(&pb.TxnRequest{Success: []*pb.RequestOp{{}}}))
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := new(recordpb.Request)
		if proto.Unmarshal(wire, r) != nil {
			return
		}
		var w slotWriter
		one, other := New(), New()
		g := &gen{Rand: rand.New(rand.NewPCG(3, 4)), rev: 3, floor: -1}
		for i := range 12 {
			slot := w.slot(g.request(), g.own(one.View()), g.request())
			if i > 5 {
				slot.Requests[1] = r
			}
			a, b := one.Apply(slot), other.Apply(slot)
			compareApplied(t, a, b)
			one.CompactPhysically(2)
			for _, result := range a.Results {
				if result.Err == ErrEvaluation {
					t.Fatalf("evaluation panics: %v", slot.Requests)
				}
			}
			if x, y := digestOf(t, one), digestOf(t, other); x != y {
				t.Fatalf("digests %x, %x", x, y)
			}
		}
	})
}

func add(f *testing.F, r *recordpb.Request) {
	wire, err := proto.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire)
}

// TestNonsense applies what only a bug can bring about: it is refused, and that
// without a panic.
func TestNonsense(t *testing.T) {
	op := func(o *pb.RequestOp) *recordpb.Request {
		return request(&pb.TxnRequest{Success: []*pb.RequestOp{o}})
	}
	for _, test := range []struct {
		name string
		r    *recordpb.Request
		want error
	}{
		{"no request", nil, ErrUnknownRequest},
		{"no kind", &recordpb.Request{}, ErrUnknownRequest},
		{"nil put", request((*pb.PutRequest)(nil)), ErrMalformed},
		{"nil delete", request((*pb.DeleteRangeRequest)(nil)), ErrMalformed},
		{"nil txn", request((*pb.TxnRequest)(nil)), ErrMalformed},
		{"nil compaction", request((*pb.CompactionRequest)(nil)), ErrMalformed},
		{"nil grant", request((*pb.LeaseGrantRequest)(nil)), ErrMalformed},
		{"nil revoke", request((*pb.LeaseRevokeRequest)(nil)), ErrMalformed},
		{"nil renew", request((*recordpb.LeaseRenew)(nil)), ErrMalformed},
		{"nil expire", request((*recordpb.LeaseExpire)(nil)), ErrMalformed},
		{"nil remaining", request((*recordpb.LeaseRemaining)(nil)), ErrMalformed},
		{"nil alarm", request((*pb.AlarmRequest)(nil)), ErrMalformed},
		{"alarm action", request(&pb.AlarmRequest{Action: 9}), ErrMalformed},
		{"nil op", op(nil), ErrKeyNotFound},
		{"empty op", op(&pb.RequestOp{}), ErrKeyNotFound},
		{"nil op range", op(&pb.RequestOp{Request: &pb.RequestOp_RequestRange{}}), ErrMalformed},
		{"nil op put", op(&pb.RequestOp{Request: &pb.RequestOp_RequestPut{}}), ErrMalformed},
		{"nil op delete", op(&pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{}}), ErrMalformed},
		{"nil op txn", op(&pb.RequestOp{Request: &pb.RequestOp_RequestTxn{}}), ErrMalformed},
		{"nil compare", request(&pb.TxnRequest{Compare: []*pb.Compare{nil}}), ErrMalformed},
		{"sort target", op(&pb.RequestOp{Request: &pb.RequestOp_RequestRange{
			RequestRange: &pb.RangeRequest{Key: []byte("k"), SortTarget: 9}}}), ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.ok(&pb.PutRequest{Key: []byte("k")})
			before := b.View()
			a := b.Apply(b.slot(test.r))
			if got := a.Results[0]; got.Response != nil || got.Err != test.want {
				t.Fatalf("got %v, want error %v", got, test.want)
			}
			if b.View().Rev() != before.Rev() {
				t.Fatal("it made a revision")
			}
		})
	}
	b := newBench(t)
	if _, err := b.View().Range(&pb.RangeRequest{SortTarget: 7}); err != ErrMalformed {
		t.Errorf("range sorted by an unknown target: %v", err)
	}
	if _, err := b.View().ReadTxn(&pb.TxnRequest{Success: []*pb.RequestOp{{}}}); err != ErrMalformed {
		t.Errorf("a transaction that is not read-only: %v", err)
	}
}
