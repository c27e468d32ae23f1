package state

import (
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// What etcd 3.7.3 answered to HashKV at a revision after a physical compaction at
// it. The second time every key was gone, the last one deleted at that revision:
// there etcd's hash before the compaction is another one, 4205437871.
func TestHashCompaction(t *testing.T) {
	b := newBench(t)
	del := func(key string) *pb.DeleteRangeRequest { return &pb.DeleteRangeRequest{Key: []byte(key)} }
	for _, step := range []struct {
		requests []any
		want     uint32
	}{
		{[]any{putOf("k", "1"), putOf("k", "2"), putOf("j", "2"), del("k")}, 2360927548},
		{[]any{putOf("x", "1"), del("x"), del("j")}, 901570455},
	} {
		for _, r := range step.requests {
			b.ok(r)
		}
		c := Compaction{At: b.rev, Before: b.compactRev}
		b.ok(&pb.CompactionRequest{Revision: int64(c.At)})
		for b.CompactPhysicallyTo(c.Before, 1) {
		}
		if got, err := b.View().HashCompaction(c); got != step.want || err != nil {
			t.Errorf("%v: %d, %v, want %d", c, got, err, step.want)
		}
		old := b.View()
		for b.CompactPhysically(1) {
		}
		for _, v := range []*View{old, b.View()} {
			if _, err := v.HashCompaction(c); c.Before >= 0 && err != ErrCompacted {
				t.Errorf("%v: %v once it is freed", c, err)
			}
		}
	}
}

// A hash that is asked for once the history is not there any more: the revision was
// raised, near or far, all was freed, or the state was loaded anew from a checkpoint.
// An answer from what is left would be another than that of a member that was quicker.
func TestHashCompactionIsTooLate(t *testing.T) {
	raise := func(by revision.Rev) func(b *bench) *View {
		return func(b *bench) *View {
			b.ok(&recordpb.RevisionRaise{To: int64(b.rev + by)})
			return b.View()
		}
	}
	freed := func(b *bench) *View {
		for range 3 * chunkLen {
			b.ok(putOf("k", "later"))
		}
		b.ok(&pb.CompactionRequest{Revision: int64(b.rev)})
		for b.CompactPhysically(100) {
		}
		return b.View()
	}
	loaded := func(b *bench) *View {
		m, err := restore(checkpoint(t, freed(b), small))
		require.NoError(t, err)
		return m.View()
	}
	for name, later := range map[string]func(*bench) *View{
		"raised": raise(1), "raised within a chunk": raise(chunkLen / 2), "raised far": raise(1 << 40), "freed": freed, "loaded": loaded,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for range 5 {
				b.ok(putOf("k", "v"))
			}
			b.ok(&pb.CompactionRequest{Revision: 3})
			c := Compaction{At: 5, Before: 3}
			b.ok(&pb.CompactionRequest{Revision: int64(c.At)})
			before := b.View()
			_, err := before.HashCompaction(c)
			require.NoError(t, err)
			_, err = later(b).HashCompaction(c)
			require.Equal(t, ErrCompacted, err)
		})
	}
}

func putOf(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

// etcdBucket is etcd's bucket "key" as its compactions treat it.
type etcdBucket []*version

// compact is what etcd's scheduleCompaction does: it walks the bucket up to the
// new floor, hashes, and deletes what is not to be kept.
func (b *etcdBucket) compact(c Compaction) uint32 {
	newest := map[string]*version{}
	for _, v := range *b {
		if v.mod <= c.At {
			newest[v.key] = v
		}
	}
	keep := map[*version]bool{}
	for _, v := range newest {
		if !v.tombstone() || v.mod == c.At {
			keep[v] = true
		}
	}
	crc := crc32.New(castagnoli)
	crc.Write([]byte("key"))
	var key entryKey
	for _, v := range *b {
		switch {
		case v.mod > c.At, v.mod <= c.Before && len(keep) > 0 && !keep[v], v.mod == c.Before && v.tombstone():
		default:
			crc.Write(key.of(v))
			crc.Write(v.entryValue())
		}
	}
	*b = slices.DeleteFunc(*b, func(v *version) bool { return v.mod <= c.At && !keep[v] })
	return crc.Sum32()
}

// Random histories, compacted at random and freed as far as the hash allows,
// while more is written: several compactions may wait for their hashes.
func TestHashCompactionAsEtcd(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for round := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, round))
		b := newBench(t)
		var bucket etcdBucket
		stored := firstChange
		type waiting struct {
			Compaction
			want uint32
		}
		var queue []waiting
		for range 60 {
			key := string(rune('a' + random.IntN(4)))
			switch random.IntN(6) {
			case 0, 1:
				b.ok(putOf(key, "v"))
			case 2, 3:
				b.ok(&pb.DeleteRangeRequest{Key: []byte(key)})
			case 4:
				b.ok(&pb.TxnRequest{Success: []*pb.RequestOp{
					{Request: &pb.RequestOp_RequestPut{RequestPut: putOf("e", key)}},
					{Request: &pb.RequestOp_RequestDeleteRange{
						RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte("d")}}},
				}})
			}
			for ; stored <= b.rev; stored++ {
				for _, e := range b.history.of(stored) {
					bucket = append(bucket, e.v)
				}
			}
			if random.IntN(5) == 0 && b.compactRev < b.rev {
				c := Compaction{Before: b.compactRev}
				c.At = max(c.Before, 0) + 1 + revision.Rev(random.Int64N(int64(b.rev-max(c.Before, 0))))
				if random.IntN(2) == 0 {
					c.At = b.rev
				}
				b.ok(&pb.CompactionRequest{Revision: int64(c.At)})
				queue = append(queue, waiting{c, bucket.compact(c)})
			}
			if len(queue) == 0 {
				continue
			}
			b.CompactPhysicallyTo(queue[0].Before, 1+random.IntN(4))
			if random.IntN(3) == 0 {
				got, err := b.View().HashCompaction(queue[0].Compaction)
				if got != queue[0].want || err != nil {
					t.Fatalf("round %d, %v: %d, %v, want %d", round, queue[0].Compaction, got, err, queue[0].want)
				}
				queue = queue[1:]
			}
		}
	}
}
