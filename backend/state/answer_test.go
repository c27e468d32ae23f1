package state

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// TestWhoWaitsMakesNoDifference applies logs where everybody, nobody, and now
// and then somebody waits for the answers: the states are the same after each
// slot, so are the errors, and who waits is answered the same.
func TestWhoWaitsMakesNoDifference(t *testing.T) {
	for range 20 {
		g := &gen{Rand: newRand(t)}
		var w slotWriter
		all, none, some := New(), New(), New()
		for range 150 {
			v := all.View()
			g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
			var requests []*recordpb.Request
			for range g.IntN(6) {
				requests = append(requests, g.request(), g.own(v))
			}
			waits := make([]bool, len(requests))
			for i := range waits {
				waits[i] = g.oneIn(2)
			}
			slot := w.slot(requests...)
			want := all.Apply(slot)
			quiet := none.ApplyFor(slot, func(int) bool { return false })
			mixed := some.ApplyFor(slot, func(i int) bool { return waits[i] })
			for _, other := range []Applied{quiet, mixed} {
				require.Equal(t, want.Duplicate, other.Duplicate)
				require.Equal(t, want.Leases, other.Leases)
				require.Equal(t, want.Auth, other.Auth)
			}
			for i := range want.Results {
				if waits[i] {
					same(t, "wanted", want.Results[i].Response, want.Results[i].Err, mixed.Results[i].Response, mixed.Results[i].Err)
				} else {
					require.Nil(t, mixed.Results[i].Response)
				}
				require.Nil(t, quiet.Results[i].Response)
				if txn := requests[i].GetTxn(); txn == nil || writes(txn) {
					require.Equal(t, want.Results[i].Err, quiet.Results[i].Err, "%v", requests[i])
				}
			}
			require.Equal(t, digestOf(t, all), digestOf(t, none))
			require.Equal(t, digestOf(t, all), digestOf(t, some))
			none.CompactPhysically(g.IntN(8))
		}
	}
}

// wide is a small transaction with a large answer: one put, and many ranges over
// all keys.
func wide(ranges int) *pb.TxnRequest {
	r := &pb.TxnRequest{Success: []*pb.RequestOp{opPut(&pb.PutRequest{Key: key})}}
	for range ranges {
		r.Success = append(r.Success, opRange(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}))
	}
	return r
}

// TestNothingIsReadForNobody: what nobody waits for costs next to nothing,
// however much it would read; prev_kv of a large delete too.
func TestNothingIsReadForNobody(t *testing.T) {
	b := loaded(t, 50_000, []byte("value"))
	r := wide(40)
	require.Less(t, proto.Size(r), 1000)
	used := func(r *recordpb.Request) uint64 {
		slot := b.slot(r)
		b.View()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		applied := b.ApplyFor(slot, func(int) bool { return false })
		runtime.ReadMemStats(&after)
		require.NoError(t, applied.Results[0].Err)
		return after.TotalAlloc - before.TotalAlloc
	}
	require.Less(t, used(request(r)), uint64(64<<10))
	require.Less(t, used(request(&pb.TxnRequest{Success: []*pb.RequestOp{opTxn(&pb.TxnRequest{Success: r.Success[1:]})}})), uint64(64<<10),
		"nothing but reads")
	require.Less(t, used(request(&pb.PutRequest{Key: key, PrevKv: true})), uint64(64<<10))
}

// TestATooLargeAnswerIsTheAnswersFault: the transaction takes effect, as it does
// where nobody waits, and only its answer is an error.
func TestATooLargeAnswerIsTheAnswersFault(t *testing.T) {
	value := bytes.Repeat([]byte("v"), 100)
	for name, r := range map[string]*pb.TxnRequest{
		"ranges": wide(3),
		"prev_kvs": {Success: []*pb.RequestOp{opPut(&pb.PutRequest{Key: key}),
			opDelete(&pb.DeleteRangeRequest{Key: []byte("l"), RangeEnd: []byte{0}, PrevKv: true})}},
	} {
		t.Run(name, func(t *testing.T) {
			one, other := newBench(t), newBench(t)
			for _, b := range []*bench{one, other} {
				for i := range 100 {
					b.ok(&pb.PutRequest{Key: fmt.Appendf(nil, "l%d", i), Value: value})
				}
			}
			one.maxAnswer = 20_000
			slot := one.slot(request(r), request(&pb.PutRequest{Key: []byte("after")}))
			got := one.Apply(slot)
			require.Equal(t, Result{Err: ErrUnanswered, Rev: got.Results[0].Rev}, got.Results[0])
			require.NoError(t, got.Results[1].Err, "the next one starts anew")
			require.NotNil(t, got.Results[1].Response)
			other.ApplyFor(slot, func(int) bool { return false })
			require.Equal(t, digestOf(t, one.Machine), digestOf(t, other.Machine))
		})
	}
}

// TestAPanicInAnAnswerIsTheAnswersFault has a version in memory that cannot be
// read: a write goes through all the same, wherever somebody waits for it.
func TestAPanicInAnAnswerIsTheAnswersFault(t *testing.T) {
	for name, r := range map[string]*pb.TxnRequest{
		"range":  wide(1),
		"delete": {Success: []*pb.RequestOp{opPut(&pb.PutRequest{Key: key}), opDelete(&pb.DeleteRangeRequest{Key: []byte("none"), RangeEnd: []byte("o"), PrevKv: true}), wide(1).Success[1]}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.live.Set("zz", &version{key: "zz", mod: 1, number: 1, valueLen: 5})
			got := b.Apply(b.slot(request(r)))
			require.Equal(t, Result{Err: ErrAnswerFailed, Rev: got.Results[0].Rev}, got.Results[0])
			v, found := b.live.Get(string(key))
			require.True(t, found)
			require.EqualValues(t, 2, v.mod)
		})
	}
}

// TestAfford weighs transactions where they are accepted.
func TestAfford(t *testing.T) {
	b := loaded(t, 50_000, bytes.Repeat([]byte("v"), 100))
	v := b.View()
	every := func(n int) (compares []*pb.Compare) {
		for range n {
			compares = append(compares, &pb.Compare{Key: []byte{0}, RangeEnd: []byte{0}, Target: pb.Compare_VERSION, Result: pb.Compare_GREATER})
		}
		return compares
	}
	nest := func(r *pb.TxnRequest) *pb.TxnRequest { return &pb.TxnRequest{Success: []*pb.RequestOp{opTxn(r)}} }
	never := []*pb.Compare{{Key: []byte("none"), Target: pb.Compare_VERSION, Result: pb.Compare_GREATER}}
	counts := wide(100)
	for _, op := range counts.Success[1:] {
		op.GetRequestRange().CountOnly = true
	}
	limits := wide(100)
	for _, op := range limits.Success[1:] {
		op.GetRequestRange().Limit = 10
	}
	keysOnly, whole := wide(50), wide(50) // 50 × 50,000 × (128 + 40 or 160)
	for _, op := range keysOnly.Success[1:] {
		op.GetRequestRange().KeysOnly = true
	}
	for name, test := range map[string]struct {
		r    *pb.TxnRequest
		want error
	}{
		"a put":                     {wide(0), nil},
		"a few ranges":              {wide(5), nil},
		"many ranges":               {wide(100), ErrAnswerTooLarge},
		"nested":                    {nest(wide(100)), ErrAnswerTooLarge},
		"the keys alone":            {keysOnly, nil},
		"with their values":         {whole, ErrAnswerTooLarge},
		"counts":                    {counts, nil},
		"limits":                    {limits, nil},
		"on a branch not taken":     {&pb.TxnRequest{Compare: never, Success: wide(100).Success}, nil},
		"on the branch taken":       {&pb.TxnRequest{Compare: never, Failure: wide(100).Success}, ErrAnswerTooLarge},
		"a delete with its values":  {&pb.TxnRequest{Success: []*pb.RequestOp{opDelete(&pb.DeleteRangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, PrevKv: true})}}, nil},
		"some comparisons":          {&pb.TxnRequest{Compare: every(20)}, nil},
		"many comparisons":          {&pb.TxnRequest{Compare: every(21)}, ErrTooManyCompared},
		"many nested, on no branch": {&pb.TxnRequest{Compare: never, Success: []*pb.RequestOp{opTxn(&pb.TxnRequest{Compare: every(21)})}}, ErrTooManyCompared},
		"what is refused anyway":    {&pb.TxnRequest{Compare: []*pb.Compare{nil}, Success: wide(100).Success}, nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, v.Afford(test.r)) })
	}
	_, err := v.ReadTxn(&pb.TxnRequest{Success: wide(100).Success[1:]})
	require.Equal(t, ErrAnswerTooLarge, err)
}

// BenchmarkWide applies one put with 40 ranges over 100,000 keys.
func BenchmarkWide(b *testing.B) {
	for _, waits := range []bool{true, false} {
		b.Run(fmt.Sprintf("wanted=%v", waits), func(b *testing.B) {
			m := loaded(b, 100_000, []byte("value"))
			b.ReportAllocs()
			for b.Loop() {
				m.ApplyFor(m.slot(request(wide(40))), func(int) bool { return waits })
			}
		})
	}
}

// BenchmarkCompare applies one put behind a comparison of 100,000 keys.
func BenchmarkCompare(b *testing.B) {
	m := loaded(b, 100_000, []byte("value"))
	r := request(&pb.TxnRequest{Success: wide(0).Success, Compare: []*pb.Compare{
		{Key: []byte{0}, RangeEnd: []byte{0}, Target: pb.Compare_VERSION, Result: pb.Compare_GREATER}}})
	for b.Loop() {
		m.ApplyFor(m.slot(r), func(int) bool { return false })
	}
}
