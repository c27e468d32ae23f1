package state

import (
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

const benchKeys = 100_000

// benchApply times requests, in slots of a size, on a machine of benchKeys keys.
// It cycles through the requests, of which there is one a key.
func benchApply(b *testing.B, value []byte, requests []*recordpb.Request) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("slot=%d", size), func(b *testing.B) {
			m := loaded(b, benchKeys, value)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += size {
				at := i % benchKeys
				m.Apply(m.slot(requests[at : at+size]...))
				m.View()
				m.CompactPhysically(2 * size)
				if m.seq.Slot == 1000 {
					m.rotate()
					// Kubernetes does so every five minutes.
					m.Apply(m.slot(request(&pb.CompactionRequest{Revision: int64(m.rev)})))
				}
			}
		})
	}
}

// benchKey scatters over all keys.
func benchKey(i int) []byte { return podKey(i * 7919 % benchKeys) }

func BenchmarkPut(b *testing.B) {
	value := make([]byte, 1000)
	var requests []*recordpb.Request
	for i := range benchKeys {
		requests = append(requests, request(&pb.PutRequest{Key: benchKey(i), Value: value}))
	}
	benchApply(b, value, requests)
}

// BenchmarkTxnUpdate is how Kubernetes updates an object, but that the revision
// that it compares with always fits.
func BenchmarkTxnUpdate(b *testing.B) {
	value := make([]byte, 1000)
	var requests []*recordpb.Request
	for i := range benchKeys {
		key := benchKey(i)
		requests = append(requests, request(&pb.TxnRequest{
			Compare: []*pb.Compare{{Key: key, Target: pb.Compare_MOD, Result: pb.Compare_GREATER}},
			Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{
				RequestPut: &pb.PutRequest{Key: key, Value: value}}}},
			Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{
				RequestRange: &pb.RangeRequest{Key: key}}}},
		}))
	}
	benchApply(b, value, requests)
}

func benchRange(b *testing.B, keys int, r *pb.RangeRequest, prepare func(*bench)) {
	m := loaded(b, keys, make([]byte, 100))
	if prepare != nil {
		prepare(m)
	}
	v := m.View()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Range(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRangeAll(b *testing.B) {
	benchRange(b, 10_000, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}, nil)
}

// BenchmarkRangePage is a page of a list at an older revision.
func BenchmarkRangePage(b *testing.B) {
	r := &pb.RangeRequest{Key: []byte("/registry/pods/namespace-10/"), RangeEnd: []byte("/registry/pods0"),
		Limit: 500, Revision: benchKeys}
	benchRange(b, benchKeys, r, func(m *bench) {
		for i := range 1000 {
			m.ok(&pb.PutRequest{Key: podKey(i)})
			m.ok(&pb.DeleteRangeRequest{Key: podKey(i * 3)})
		}
	})
}

func BenchmarkGet(b *testing.B) {
	benchRange(b, benchKeys, &pb.RangeRequest{Key: podKey(77)}, nil)
}

func BenchmarkCount(b *testing.B) {
	r := &pb.RangeRequest{Key: []byte("/registry/pods/namespace-10/"),
		RangeEnd: []byte("/registry/pods/namespace-20/"), CountOnly: true}
	benchRange(b, 1_000_000, r, nil)
}

// BenchmarkHashCompaction is what a compaction costs in the background.
func BenchmarkHashCompaction(b *testing.B) {
	for _, size := range []int{100, 1024} {
		b.Run(fmt.Sprintf("keys=1000000/value=%d", size), func(b *testing.B) {
			m := loaded(b, 1_000_000, make([]byte, size))
			m.Apply(m.slot(request(&pb.CompactionRequest{Revision: int64(m.rev - 1000)})))
			for m.CompactPhysically(1 << 20) {
			}
			c := Compaction{At: m.rev, Before: m.compactRev}
			v := m.View()
			for b.Loop() {
				if _, err := v.HashCompaction(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHashKV(b *testing.B) {
	v := loaded(b, benchKeys, make([]byte, 100)).View()
	for b.Loop() {
		v.HashKV(0) //nolint:errcheck // of the current revision
	}
}
