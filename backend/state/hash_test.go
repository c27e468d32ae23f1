package state

import (
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
)

// hashScript is a history with updates, deletes, transactions, leases and
// compactions.
func hashScript() []any {
	put := func(key, value string, lease int64) *pb.PutRequest {
		return &pb.PutRequest{Key: []byte(key), Value: []byte(value), Lease: lease}
	}
	del := func(key, end string) *pb.DeleteRangeRequest {
		r := &pb.DeleteRangeRequest{Key: []byte(key)}
		if end != "" { // to etcd's store, empty is not the same as none
			r.RangeEnd = []byte(end)
		}
		return r
	}
	opPut := func(key, value string) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put(key, value, 0)}}
	}
	opDel := func(key, end string) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: del(key, end)}}
	}
	return []any{
		put("a", "1", 0),
		put("b", "", 0),
		&pb.LeaseGrantRequest{ID: 7, TTL: 60},
		&pb.LeaseGrantRequest{ID: -9, TTL: 60},
		put("c", "leased", 7),
		put("d", "leased", -9),
		&pb.TxnRequest{Success: []*pb.RequestOp{opPut("a", "2"), opDel("b", ""), opPut("e", "5")}},
		put("a", "3", 0),
		del("c", "e"),
		put("c", "again", 7),
		&pb.CompactionRequest{Revision: 5},
		put("\x00\xff", "bytes", 7),
		&pb.LeaseRevokeRequest{ID: 7},
		&pb.CompactionRequest{Revision: 8},
		del("a", "\x00"),
		&pb.CompactionRequest{Revision: 10},
		&pb.CompactionRequest{Revision: 12},
		put("z", "last", -9),
	}
}

// hashes are what etcd 3.7.3 answers after each step of hashScript: made with
// its package server/storage/mvcc, on its own lessor and backend, by
// HashStorage().HashByRev at each revision from the compact revision + 1 to the
// current one, waiting for compactions to finish. (At the compact revision
// itself etcd answers from a cache, see View.HashKV.)
var hashes = [][]uint32{
	{2587454935, 1084519789, 2587454935},
	{2496657716, 1084519789, 2587454935, 2496657716},
	{2496657716, 1084519789, 2587454935, 2496657716},
	{2496657716, 1084519789, 2587454935, 2496657716},
	{3252521979, 1084519789, 2587454935, 2496657716, 3252521979},
	{668040605, 1084519789, 2587454935, 2496657716, 3252521979, 668040605},
	{1488058037, 1084519789, 2587454935, 2496657716, 3252521979, 668040605, 1488058037},
	{2189020031, 1084519789, 2587454935, 2496657716, 3252521979, 668040605, 1488058037, 2189020031},
	{75970048, 1084519789, 2587454935, 2496657716, 3252521979, 668040605, 1488058037, 2189020031, 75970048},
	{1488347312, 1084519789, 2587454935, 2496657716, 3252521979, 668040605, 1488058037, 2189020031, 75970048, 1488347312},
	{1236174706, 3837835656, 2237042678, 1236925245},
	{1236174706, 3837835656, 2237042678, 1236925245, 1277567146},
	{1236174706, 3837835656, 2237042678, 1236925245, 1277567146, 1514623192},
	{1990830699, 220038363, 4017605447},
	{1990830699, 220038363, 4017605447, 2333060181},
	{2892214589, 2333060181},
	{},
	{1704727176},
}

func TestHashKV(t *testing.T) {
	b := newBench(t)
	for i, message := range hashScript() {
		b.ok(message)
		for freed := range 2 {
			v := b.View()
			for j, want := range hashes[i] {
				rev := v.CompactRev() + 1 + revision.Rev(j)
				got, err := v.HashKV(max(rev, 0))
				if got.Hash != want || got.CompactRev != v.CompactRev() || err != nil || rev > 0 && got.At != rev {
					t.Errorf("step %d, freed %d: %+v of %d, error %v, want %d", i, freed, got, rev, err, want)
				}
			}
			if _, err := v.HashKV(v.Rev() + 1); err != ErrFutureRev {
				t.Errorf("step %d: %v above the current revision", i, err)
			}
			if _, err := v.HashKV(v.CompactRev() - 1); v.CompactRev() > 1 && err != ErrCompacted {
				t.Errorf("step %d: %v below the compact revision", i, err)
			}
			for b.CompactPhysically(1) {
			}
		}
	}
}

// TestChecksumsAreJoined: the checksum of a text from those of its parts.
func TestChecksumsAreJoined(t *testing.T) {
	random := newRand(t)
	for _, size := range []int{0, 1, 2, 7, 300, 4096, 100_001, 1 << 22} {
		text := make([]byte, size)
		for i := range text {
			text[i] = byte(random.Uint32())
		}
		at := random.IntN(size + 1)
		got := joinCRC(crc32.Checksum(text[:at], castagnoli), crc32.Checksum(text[at:], castagnoli), size-at)
		require.Equal(t, crc32.Checksum(text, castagnoli), got, "%d of %d bytes", at, size)
	}
}
