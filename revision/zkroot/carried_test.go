package zkroot

import (
	"crypto/rand"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

func smallEnvelope(t testing.TB) *Envelope {
	batch := &revision.Batch{Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{
		{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte("k"), Value: []byte("v")}}}}}
	env, err := EncodeBatch(batch, 7, new(Compressor))
	require.NoError(t, err)
	return env
}

func carries(slot []byte) []byte { return MustJSON(SegmentRecord{LastWriter: "a", NewestSlot: slot}) }

// TestCarried: the newest slot is in its segment's record, and is what its znode holds.
func TestCarried(t *testing.T) {
	env, segment := smallEnvelope(t), SegmentRef{Number: 3, Name: "3-x"}
	e := Reader{}.Carried(t.Context(), segment, carries(env.Bytes()), &zk.Stat{Version: 5, Mzxid: 99})
	require.NotNil(t, e)
	require.Equal(t, revision.Seq{Segment: 3, Slot: 4}, e.Slot.Seq)
	require.Equal(t, env.nonce, e.Slot.Nonce)
	require.Equal(t, "v", string(e.Slot.Requests[0].GetPut().Value))
	require.EqualValues(t, 99, e.Zxid)
	require.Equal(t, segment, e.Segment)
	require.Equal(t, len(env.Bytes()), e.Size)
}

// TestWhatIsNotCarried: everything else counts as not there, without a read.
func TestWhatIsNotCarried(t *testing.T) {
	env := smallEnvelope(t)
	flipped := env.Bytes()
	flipped[len(flipped)-1] ^= 1
	for name, data := range map[string][]byte{
		"an older release's record": MustJSON(SegmentRecord{LastWriter: "a", Revision: 7}),
		"no JSON":                   []byte("x"),
		"nothing":                   nil,
		"a flipped bit":             carries(flipped),
		"a slot in parts":           carries(env.StagedBytes(3)),
		"more than is carried":      carries(make([]byte, 2*MaxCarried)),
	} {
		require.Nil(t, Reader{}.Carried(t.Context(), SegmentRef{Number: 1}, data, &zk.Stat{Version: 1}), name)
	}
	require.Nil(t, Reader{}.Carried(t.Context(), SegmentRef{Number: 1}, carries(env.Bytes()), &zk.Stat{}), "an empty segment")
}

func FuzzCarried(f *testing.F) {
	f.Add(carries(smallEnvelope(f).Bytes()), int32(1))
	f.Add([]byte("{}"), int32(0))
	f.Fuzz(func(t *testing.T, data []byte, version int32) {
		if e := (Reader{}).Carried(t.Context(), SegmentRef{Number: 1}, data, &zk.Stat{Version: version}); e != nil {
			require.Equal(t, int64(version)-1, e.Slot.Seq.Slot)
		}
	})
}
