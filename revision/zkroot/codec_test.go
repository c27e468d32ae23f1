package zkroot

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

func testBatch(value string) *revision.Batch {
	return &revision.Batch{Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{
		{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte("k\x00\xff"), Value: []byte(value)}}},
		{Kind: &recordpb.Request_LeaseExpire{LeaseExpire: &recordpb.LeaseExpire{Id: 7, Renewed: 9}}},
	}}
}

func sameRequests(t testing.TB, want, got []*recordpb.Request) {
	t.Helper()
	require.True(t, proto.Equal(&recordpb.Batch{Requests: want}, &recordpb.Batch{Requests: got}))
}

func TestEnvelopeRoundTrip(t *testing.T) {
	for _, value := range []string{"", "small", strings.Repeat("compresses well ", 1000)} {
		batch := testBatch(value)
		sealed, err := EncodeBatch(batch, 42, new(Compressor))
		require.NoError(t, err)
		require.Equal(t, len(value) > compressFrom, sealed.flags&flagZstd != 0)
		opened, err := DecodeEnvelope(sealed.Bytes())
		require.NoError(t, err)
		require.Equal(t, batch.Nonce, opened.nonce)
		require.EqualValues(t, 42, opened.term)
		got, err := opened.batch()
		require.NoError(t, err)
		sameRequests(t, batch.Requests, got.Requests)
	}
}

func TestStagedEnvelopeRoundTrip(t *testing.T) {
	sealed, err := EncodeBatch(testBatch("staged"), 1, new(Compressor))
	require.NoError(t, err)
	payload := sealed.payload
	sealed.flags |= flagStaged
	sealed.parts = 3
	opened, err := DecodeEnvelope(sealed.head())
	require.NoError(t, err)
	require.True(t, opened.staged())
	require.NoError(t, opened.complete(payload))
	_, err = opened.batch()
	require.NoError(t, err)

	opened, err = DecodeEnvelope(sealed.head())
	require.NoError(t, err)
	damaged := bytes.Clone(payload)
	damaged[0] ^= 1
	require.ErrorIs(t, opened.complete(damaged), revision.ErrCorrupt)
	require.ErrorIs(t, opened.complete(payload[1:]), revision.ErrCorrupt)
}

// TestEveryFlippedBitIsSeen flips each bit of a slot in turn. None may be
// decoded, and none may look like a newer format.
func TestEveryFlippedBitIsSeen(t *testing.T) {
	sealed, err := EncodeBatch(testBatch("value"), 3, new(Compressor))
	require.NoError(t, err)
	data := sealed.Bytes()
	for bit := range len(data) * 8 {
		flipped := bytes.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		_, err := DecodeEnvelope(flipped)
		require.ErrorIs(t, err, revision.ErrCorrupt, "bit %d", bit)
	}
	for n := range data {
		_, err := DecodeEnvelope(data[:n])
		require.ErrorIs(t, err, revision.ErrCorrupt, "cut to %d bytes", n)
	}
}

// reseal gives a changed head its right checksum.
func reseal(sealed *Envelope, change func([]byte)) []byte {
	data := sealed.Bytes()
	change(data)
	sum := checksum(data[:40], data[EnvelopeHead:])
	for i := range 4 {
		data[40+i] = byte(sum >> (24 - 8*i))
	}
	return data
}

func TestNewerRecordsAreRefusedByName(t *testing.T) {
	sealed, err := EncodeBatch(testBatch("value"), 3, new(Compressor))
	require.NoError(t, err)
	_, err = DecodeEnvelope(reseal(sealed, func(b []byte) { b[2] = 2 }))
	require.ErrorIs(t, err, revision.ErrNewerFormat)
	_, err = DecodeEnvelope(reseal(sealed, func(b []byte) { b[3] |= 1 << 6 }))
	require.ErrorIs(t, err, revision.ErrNewerFormat)

	put := func() *pb.PutRequest {
		put := &pb.PutRequest{Key: []byte("k")}
		put.ProtoReflect().SetUnknown(unknownField())
		return put
	}
	nested := &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put()}}}}
	kind := &recordpb.Request{}
	kind.ProtoReflect().SetUnknown(unknownField())
	for name, r := range map[string]*recordpb.Request{
		"an unknown field of a put":   {Kind: &recordpb.Request_Put{Put: put()}},
		"one within a transaction":    {Kind: &recordpb.Request_Txn{Txn: nested}},
		"a request of a unknown kind": kind,
		"a request of no kind":        {},
	} {
		sealed, err := EncodeBatch(&revision.Batch{Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{r}}, 1, new(Compressor))
		require.NoError(t, err)
		opened, err := DecodeEnvelope(sealed.Bytes())
		require.NoError(t, err)
		_, err = opened.batch()
		require.ErrorIs(t, err, revision.ErrNewerFormat, name)
		// What a client sends must never get that far.
		recordpb.StripUnknown(r)
		require.False(t, recordpb.HasUnknown(r), name)
	}
}

// unknownField is one that no message has.
func unknownField() []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, 999, protowire.VarintType), 1)
}

func FuzzOpenEnvelope(f *testing.F) {
	for _, value := range []string{"", "small", strings.Repeat("x", 5000)} {
		sealed, err := EncodeBatch(testBatch(value), 1, new(Compressor))
		require.NoError(f, err)
		f.Add(sealed.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEnvelope(data)
		if err == nil && !e.staged() {
			_, err = e.batch()
		}
		if err != nil && !errors.Is(err, revision.ErrCorrupt) && !errors.Is(err, revision.ErrNewerFormat) {
			t.Fatalf("neither corrupt nor newer: %v", err)
		}
	})
}

// FuzzDecodeRequests gives the payload's decoder arbitrary bytes under a right
// checksum, as a foreign or newer writer might.
func FuzzDecodeRequests(f *testing.F) {
	payload, err := proto.Marshal(&recordpb.Batch{Requests: testBatch("v").Requests})
	require.NoError(f, err)
	f.Add(payload, false)
	leased, err := proto.Marshal(&recordpb.Batch{ReadLease: &recordpb.ReadLease{Holder: 1, SeenSegment: 2, SeenSlot: 3, Renews: true},
		WrittenUnixMs: 1, Writer: "a"})
	require.NoError(f, err)
	f.Add(append(leased, payload...), false)
	f.Add(zstdEncoder.EncodeAll(payload, nil), true)
	f.Fuzz(func(t *testing.T, payload []byte, compressed bool) {
		e := &Envelope{payload: payload, length: uint32(len(payload)), raw: uint32(len(payload))}
		if compressed {
			e.flags |= flagZstd
			e.raw = 64
		}
		opened, err := DecodeEnvelope(e.Bytes())
		require.NoError(t, err)
		batch, err := opened.batch()
		if err != nil {
			require.True(t, errors.Is(err, revision.ErrCorrupt) || errors.Is(err, revision.ErrNewerFormat), "%v", err)
			return
		}
		again, err := EncodeBatch(batch, 1, new(Compressor))
		require.NoError(t, err)
		back, err := again.batch()
		require.NoError(t, err)
		require.Equal(t, batch.Lease, back.Lease)
		require.Equal(t, batch.Origin, back.Origin)
		sameRequests(t, batch.Requests, back.Requests)
	})
}

func TestNames(t *testing.T) {
	l := Layout{Root: "/zkine"}
	n, err := SlotNumber(l.Slot("1-aa", 17))
	require.NoError(t, err)
	require.EqualValues(t, 17, n)
	for _, bad := range []string{"", "/zkine/log/1-aa/x-1", "/zkine/log/1-aa/s--1", "/zkine/log/1-aa/s-"} {
		_, err := SlotNumber(bad)
		require.ErrorIs(t, err, revision.ErrCorrupt, bad)
	}
	ref := NewSegmentRef(12, rand.Reader)
	parsed, err := ParseSegmentRef(ref.Name)
	require.NoError(t, err)
	require.Equal(t, ref, parsed)
	for _, bad := range []string{"", "0-aa", "x-aa", "-1-aa", "12"} {
		_, err := ParseSegmentRef(bad)
		require.ErrorIs(t, err, revision.ErrCorrupt, bad)
	}
	for root, good := range map[string]bool{"/zkine": true, "/a/b": true, "": false, "/": false, "zkine": false, "/a/": false, "/zookeeper/x": false, "/a//b": false} {
		require.Equal(t, good, CheckRoot(root) == nil, root)
	}
}
