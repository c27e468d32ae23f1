package backend_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
)

const testChunkBytes = 300

// stream puts the chunks of a RangeStream together. Only the last has a header, a
// count and more, the first has ten keys at most, and none has more bytes than it
// should, but for its last key.
func stream(t testing.TB, b *backend.Backend, r *pb.RangeRequest) *pb.RangeResponse {
	t.Helper()
	var chunks []*pb.RangeResponse
	require.NoError(t, b.RangeStream(within(t), r, testChunkBytes, func(c *pb.RangeStreamResponse) error {
		if n := len(c.RangeResponse.Kvs); n > 1 {
			require.Less(t, proto.Size(&pb.RangeResponse{Kvs: c.RangeResponse.Kvs[:n-1]}), 2*testChunkBytes)
		}
		chunks = append(chunks, c.RangeResponse)
		return nil
	}))
	require.LessOrEqual(t, len(chunks[0].Kvs), 10)
	merged := chunks[len(chunks)-1]
	var kvs = merged.Kvs[:0:0]
	for i, c := range chunks {
		if i < len(chunks)-1 {
			require.Nil(t, c.Header)
			require.Zero(t, c.Count)
			require.False(t, c.More)
		}
		kvs = append(kvs, c.Kvs...)
	}
	merged.Kvs = kvs
	return merged
}

// A stream has what Range answers, also if it is sorted: every key once.
func TestRangeStreamEqualsRange(t *testing.T) {
	b := openMem(t, memlog.New(), "a")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	_, err := b.LeaseGrant(within(t), &pb.LeaseGrantRequest{ID: 7, TTL: 1000})
	require.NoError(t, err)
	var old int64
	for i := range 400 {
		old = put(t, b, fmt.Sprintf("key%03d", random.IntN(137)), strings.Repeat("v", random.IntN(30)), int64(i%2*7))
	}
	old -= 50
	for range 20 {
		put(t, b, fmt.Sprintf("key%03d", 100+random.IntN(40)), strings.Repeat("large", 200))
	}
	for target := range pb.RangeRequest_SortTarget_name {
		for _, limit := range []int64{-1, 0, 1, 9, 10, 11, 50, 137, 500} {
			for _, at := range []int64{0, old} {
				for _, kind := range []*pb.RangeRequest{{}, {KeysOnly: true}, {CountOnly: true}} {
					r := all()
					r.Limit, r.SortTarget, r.Revision = limit, pb.RangeRequest_SortTarget(target), at
					r.KeysOnly, r.CountOnly = kind.KeysOnly, kind.CountOnly
					want, err := b.Range(within(t), r)
					require.NoError(t, err)
					require.Equal(t, want.String(), stream(t, b, r).String(), "%v", r)
				}
			}
		}
	}
}

// A sorted stream that has begun goes on when what it shows is written over and
// compacted away.
func TestSortedRangeStreamUnderCompaction(t *testing.T) {
	b := openMem(t, memlog.New(), "a")
	var old int64
	for i := range 100 {
		old = put(t, b, fmt.Sprintf("key%02d", i), fmt.Sprint(100-i))
	}
	r := all()
	r.SortTarget, r.Revision = pb.RangeRequest_VALUE, old
	want, err := b.Range(within(t), r)
	require.NoError(t, err)
	var got []string
	first := true
	require.NoError(t, b.RangeStream(within(t), r, testChunkBytes, func(c *pb.RangeStreamResponse) error {
		if first {
			first = false
			for i := range 100 {
				put(t, b, fmt.Sprintf("key%02d", i), "new")
			}
			compactAt(t, b, old+100)
			require.NoError(t, b.CompactedPhysically(within(t), old+100))
		}
		for _, kv := range c.RangeResponse.Kvs {
			got = append(got, kv.String())
		}
		return nil
	}))
	require.Len(t, got, 100)
	for i, kv := range want.Kvs {
		require.Equal(t, kv.String(), got[i])
	}
	_, err = b.Range(within(t), r)
	require.Error(t, err)
}
