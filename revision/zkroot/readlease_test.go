package zkroot

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

func TestReadLeasesGoThroughTheCodec(t *testing.T) {
	for _, lease := range []*revision.ReadLease{
		nil,
		{Holder: 1},
		{Holder: 1 << 63, Seen: revision.Seq{Segment: 7, Slot: 4095}, Renews: true},
	} {
		for _, batch := range []*revision.Batch{testBatch("v"), {}} { // a batch may be empty
			batch.Lease = lease
			e, err := EncodeBatch(batch, 3, new(Compressor))
			require.NoError(t, err)
			opened, err := DecodeEnvelope(e.Bytes())
			require.NoError(t, err)
			got, err := opened.batch()
			require.NoError(t, err)
			sameRequests(t, batch.Requests, got.Requests)
			require.Equal(t, lease, got.Lease)
		}
	}
}

func TestReadLeasesThatAreNone(t *testing.T) {
	newer := &recordpb.ReadLease{Holder: 1}
	newer.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
	for _, c := range []struct {
		record *recordpb.ReadLease
		want   error
	}{
		{&recordpb.ReadLease{}, revision.ErrCorrupt},
		{&recordpb.ReadLease{Holder: 1, SeenSegment: -1}, revision.ErrCorrupt},
		{&recordpb.ReadLease{Holder: 1, SeenSlot: -1}, revision.ErrCorrupt},
		{newer, revision.ErrNewerFormat},
	} {
		payload, err := proto.Marshal(&recordpb.Batch{ReadLease: c.record})
		require.NoError(t, err)
		_, err = (&Envelope{payload: payload, raw: uint32(len(payload))}).batch()
		require.ErrorIs(t, err, c.want)
	}
}

// TestAReleaseBeforeReadLeasesStopsAtOne: to it the field is unknown, as this one is
// to us.
func TestAReleaseBeforeReadLeasesStopsAtOne(t *testing.T) {
	payload, err := proto.Marshal(&recordpb.Batch{ReadLease: &recordpb.ReadLease{Holder: 1, Renews: true}})
	require.NoError(t, err)
	number, _, _ := protowire.ConsumeTag(payload)
	require.Equal(t, protowire.Number(2), number)
	payload = bytes.Replace(payload, protowire.AppendTag(nil, 2, protowire.BytesType), protowire.AppendTag(nil, 3, protowire.BytesType), 1)
	_, err = (&Envelope{payload: payload, raw: uint32(len(payload))}).batch()
	require.ErrorIs(t, err, revision.ErrNewerFormat)
}
