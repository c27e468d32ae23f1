package zkroot

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

func TestOriginsGoThroughTheCodec(t *testing.T) {
	long := strings.Repeat("a", revision.MaxWriter-1)
	for _, c := range []struct{ written, read *revision.Origin }{
		{nil, nil},
		{&revision.Origin{Written: 1796000000123, Writer: "zk-1"}, &revision.Origin{Written: 1796000000123, Writer: "zk-1"}},
		{&revision.Origin{Written: 1}, &revision.Origin{Written: 1}},
		{&revision.Origin{Written: -5, Writer: "before 1970"}, &revision.Origin{Written: 1, Writer: "before 1970"}},
		{&revision.Origin{Written: 7, Writer: long + "bc"}, &revision.Origin{Written: 7, Writer: long + "b"}},
		{&revision.Origin{Written: 7, Writer: long + "ü"}, &revision.Origin{Written: 7, Writer: long}},
	} {
		for _, batch := range []*revision.Batch{testBatch("v"), {}} {
			batch.Origin = c.written
			e, err := EncodeBatch(batch, 3, new(Compressor))
			require.NoError(t, err)
			opened, err := DecodeEnvelope(e.Bytes())
			require.NoError(t, err)
			got, err := opened.batch()
			require.NoError(t, err)
			sameRequests(t, batch.Requests, got.Requests)
			require.Equal(t, c.read, got.Origin)
		}
	}
}

func TestOriginsThatAreNone(t *testing.T) {
	for _, record := range []*recordpb.Batch{
		{Writer: "without a time"},
		{WrittenUnixMs: -1},
		{WrittenUnixMs: 1, Writer: strings.Repeat("a", revision.MaxWriter+1)},
	} {
		payload, err := proto.Marshal(record)
		require.NoError(t, err)
		_, err = (&Envelope{payload: payload, raw: uint32(len(payload))}).batch()
		require.ErrorIs(t, err, revision.ErrCorrupt)
	}
}
