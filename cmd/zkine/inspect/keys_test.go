package inspect

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// TestCounting compares what is counted with the state itself, in random stories.
func TestCounting(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	for range 20 {
		m := state.New()
		for i := range 300 {
			key := []byte(fmt.Sprintf("/r/%d/%d", rng.IntN(5), rng.IntN(9)))
			request := &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: key, Value: make([]byte, rng.IntN(100)), Lease: int64(rng.IntN(2) * 7)}}}
			switch rng.IntN(8) {
			case 0:
				request = &recordpb.Request{Kind: &recordpb.Request_DeleteRange{DeleteRange: &pb.DeleteRangeRequest{Key: key}}}
			case 1:
				request = &recordpb.Request{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: &pb.LeaseGrantRequest{ID: 7, TTL: 60}}}
			case 2:
				if i%50 == 0 {
					request = &recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: int64(m.View().Rev()) - 20}}}
				}
			}
			nonce := revision.Nonce{byte(i), byte(i >> 8), 1}
			m.Apply(revision.Slot{Seq: revision.Seq{Segment: 1, Slot: int64(i)}, Nonce: nonce, Requests: []*recordpb.Request{request}})
		}
		v := m.View()
		i := &inspection{Config: Config{Top: 3, Depth: 2}, out: new(Report)}
		meta, err := v.CheckpointMeta()
		require.NoError(t, err)
		require.NoError(t, i.count(meta, func(yield func([]byte, error) bool) {
			require.NoError(t, v.CheckpointKeys(func(c []byte) bool { return yield(c, nil) }))
		}, true, nil))

		live, bytes, attached, largest := int64(0), int64(0), int64(0), int64(0)
		for kv, err := range v.Keys("") {
			require.NoError(t, err)
			live++
			bytes += int64(len(kv.Key) + len(kv.Value))
			largest = max(largest, int64(len(kv.Value)))
			if kv.Lease == 7 {
				attached++
			}
		}
		k := i.out.Keys
		require.Equal(t, live, k.Live)
		require.Equal(t, bytes, k.Bytes)
		require.EqualValues(t, v.Rev(), k.Revision)
		require.Len(t, k.Prefixes, 3)
		require.Len(t, k.Largest, 3)
		require.Equal(t, largest, k.Largest[0].Bytes)
		sum := *k.Others
		for _, p := range k.Prefixes {
			require.GreaterOrEqual(t, k.Prefixes[0].all(), p.all())
			sum.Live, sum.Bytes = sum.Live+p.Live, sum.Bytes+p.Bytes
			sum.Versions, sum.VersionBytes = sum.Versions+p.Versions, sum.VersionBytes+p.VersionBytes
		}
		require.Equal(t, Prefix{Live: k.Live, Bytes: k.Bytes, Versions: k.Versions, VersionBytes: k.VersionBytes}, sum)
		require.Equal(t, 1, i.out.Leases.Count)
		require.Equal(t, attached, i.out.Leases.Keys)
	}
}

// TestManyPrefixes stay within bounds.
func TestManyPrefixes(t *testing.T) {
	c := newCounting(2, 5, nil)
	for i := range maxPrefixes + 1000 {
		c.prefix([]byte(fmt.Sprintf("/a/%d/x", i))).Live++
	}
	require.Len(t, c.prefixes, maxPrefixes)
	r := c.result()
	require.Len(t, r.Prefixes, 5)
	require.EqualValues(t, maxPrefixes+1000-5, r.Others.Live)
}

func TestParseWatchers(t *testing.T) {
	watchers, streams, err := parseWatchers(strings.NewReader("# HELP x\netcd_server_id{server_id=\"ab\"} 1\netcd_debugging_mvcc_watcher_total 1.2e+03\netcd_debugging_mvcc_watch_stream_total 7\n"), 0xab)
	require.NoError(t, err)
	require.EqualValues(t, 1200, watchers)
	require.EqualValues(t, 7, streams)
	_, _, err = parseWatchers(strings.NewReader("etcd_server_id{server_id=\"cd\"} 1\netcd_debugging_mvcc_watcher_total 5\n"), 0xab)
	require.ErrorIs(t, err, errAnother)
	_, _, err = parseWatchers(strings.NewReader("nothing\n"), 0xab)
	require.Error(t, err)
}
