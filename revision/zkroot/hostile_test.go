package zkroot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// oneNode is a session on which each znode has the same data.
type oneNode struct {
	Nodes
	data []byte
	gets int
}

func (c *oneNode) Get(context.Context, string) ([]byte, *zk.Stat, error) {
	c.gets++
	return c.data, &zk.Stat{}, nil
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// swollen is a frame of many times its size: what zkine makes of zeros.
func swollen(size int) []byte { return zstdEncoder.EncodeAll(make([]byte, size), nil) }

// TestNoMoreIsDecompressedThanIsSaid: a payload, a pack and a blob whose frame
// holds more than their headers say are corrupt, and cost no memory.
func TestNoMoreIsDecompressedThanIsSaid(t *testing.T) {
	const much = 64 << 20
	packed := swollen(much)
	for _, said := range []int{0, 16, 300, much - 1, much + 1} {
		e := &Envelope{flags: flagZstd, raw: uint32(said), payload: packed, length: uint32(len(packed))}
		opened, err := DecodeEnvelope(e.Bytes())
		require.NoError(t, err)
		used := allocated(func() { _, err = opened.batch() })
		require.ErrorIs(t, err, revision.ErrCorrupt)
		require.Less(t, used, uint64(1<<20), "slot, %d said", said)

		data := append([]byte{'Z', 'P', packVersion, 0, 0, 0, 0, 0, 0, 0, 0, 0}, packed...)
		binary.BigEndian.PutUint32(data[4:], uint32(said))
		binary.BigEndian.PutUint32(data[8:], checksum(data[:8], data[packHead:]))
		used = allocated(func() { _, err = decodePack(data, 1) })
		require.ErrorIs(t, err, revision.ErrCorrupt)
		require.Less(t, used, uint64(1<<20), "pack, %d said", said)

		ref := BlobRef{Parts: 1, Length: len(packed), Raw: said, Checksum: crc32.Checksum(packed, castagnoli)}
		used = allocated(func() {
			_, err = NewReader(&oneNode{data: packed}, Layout{Root: "/zkine"}).blob(t.Context(), ref, func(int) string { return "/zkine/blob" })
		})
		require.ErrorIs(t, err, revision.ErrCorrupt)
		require.ErrorContains(t, err, "/zkine/blob")
		require.ErrorContains(t, err, "from a backup of ZooKeeper")
		require.Less(t, used, uint64(1<<20), "blob, %d said", said)
	}
}

// TestFramesWithoutASizeAreBounded: such a frame is the encoder's for less than
// 256 bytes, and no more is taken out of it.
func TestFramesWithoutASizeAreBounded(t *testing.T) {
	for size := range 600 {
		raw := bytes.Repeat([]byte("k"), size)
		for name, packed := range map[string][]byte{"slot": zstdEncoder.EncodeAll(raw, nil), "blob": blobEncoder.EncodeAll(raw, nil)} {
			out, err := unpack(packed, size, nil)
			require.NoError(t, err, "%s of %d", name, size)
			require.Equal(t, len(raw), len(out))
			if size > 0 {
				_, err = unpack(packed, size-1, make([]byte, 0, 4096))
				require.Error(t, err, "%s of %d", name, size)
			}
			_, err = unpack(packed, size+1, make([]byte, 0, 4096))
			require.Error(t, err, "%s of %d", name, size)
		}
	}
}

// TestBlobsThatCannotBe: lengths and counts that zkine never writes end in a
// named error before anything is read.
func TestBlobsThatCannotBe(t *testing.T) {
	for _, ref := range []BlobRef{
		{Parts: 1, Length: -1, Raw: 5}, {Parts: 1, Length: 5, Raw: -1}, {Parts: 0, Length: 5, Raw: 5},
		{Parts: -3, Length: 5, Raw: 5}, {Parts: 6, Length: 5, Raw: 5}, {Parts: 2, Length: 0},
		{Parts: 1, Length: math.MaxInt, Raw: 5}, {Parts: 1, Length: 5, Raw: math.MaxInt},
		{Parts: math.MaxInt, Length: MaxRaw, Raw: 5}, {Parts: math.MinInt, Length: math.MinInt, Raw: math.MinInt},
	} {
		conn := &oneNode{data: []byte("12345")}
		_, err := NewReader(conn, Layout{Root: "/zkine"}).blob(t.Context(), ref, func(int) string { return "/zkine/blob" })
		require.ErrorIs(t, err, revision.ErrCorrupt, "%+v", ref)
		require.ErrorContains(t, err, "/zkine/blob")
		require.Zero(t, conn.gets, "%+v", ref)
	}
	// Sound in themselves, but not what is there.
	for _, ref := range []BlobRef{
		{Parts: 1, Length: MaxRaw, Raw: 5}, {Parts: MaxRaw, Length: MaxRaw, Raw: MaxRaw}, {Parts: 2, Length: 11, Raw: 5},
	} {
		conn := &oneNode{data: []byte("12345")}
		used := allocated(func() {
			_, err := NewReader(conn, Layout{Root: "/zkine"}).blob(t.Context(), ref, func(int) string { return "/zkine/blob" })
			require.ErrorIs(t, err, revision.ErrCorrupt, "%+v", ref)
		})
		require.Less(t, used, uint64(1<<20), "%+v", ref)
		require.Equal(t, 1, conn.gets, "%+v", ref)
	}
}

// TestStagedPartsThatDoNotEnd: what is said to be cut into very many parts is
// not read on once there is more than was said.
func TestStagedPartsThatDoNotEnd(t *testing.T) {
	e := &Envelope{flags: flagStaged, length: 1000, raw: 1000, parts: 1000}
	conn := &oneNode{data: make([]byte, 100)}
	require.ErrorIs(t, NewReader(conn, Layout{Root: "/zkine"}).parts(t.Context(), SegmentRef{1, "1-aa"}, e), revision.ErrCorrupt)
	require.Equal(t, 11, conn.gets)
	e.length, e.parts = math.MaxUint32, math.MaxUint32
	_, err := DecodeEnvelope(e.head())
	require.ErrorIs(t, err, revision.ErrCorrupt)
}

// TestNamesThatCannotBe: names become numbers of slots to make room for, and
// parts of paths.
func TestNamesThatCannotBe(t *testing.T) {
	for _, name := range []string{
		"p-0000000000-9223372036854775807", "p-0000000000-0000001000", "p-0000000005-0000000004", "p-0-1",
		"p-0000000000-0000000001x", "p--000000001-0000000001", "p-0000000000-99999999999999999999",
	} {
		_, err := parsePack(name)
		require.ErrorIs(t, err, revision.ErrCorrupt, name)
	}
	ref, err := parsePack("p-0000000000-0000000999")
	require.NoError(t, err)
	require.Equal(t, PackRef{0, 999}, ref)
	for _, name := range []string{"1-../../format", "1-/", "01-aa", "+1-aa", "1-AA/", "1-" + strings.Repeat("a", 34)} {
		_, err := ParseSegmentRef(name)
		require.ErrorIs(t, err, revision.ErrCorrupt, name)
	}
}

// TestTooManyRequestsInASlot: two bytes become a message.
func TestTooManyRequestsInASlot(t *testing.T) {
	payload := bytes.Repeat([]byte{1<<3 | 2, 0}, maxRequests+1)
	e := &Envelope{raw: uint32(len(payload)), length: uint32(len(payload)), payload: payload}
	var err error
	used := allocated(func() { _, err = e.batch() })
	require.ErrorIs(t, err, revision.ErrCorrupt)
	require.Less(t, used, uint64(1<<16))
	_, err = EncodeBatch(&revision.Batch{Requests: make([]*recordpb.Request, maxRequests+1)}, 1, new(Compressor))
	require.ErrorIs(t, err, revision.ErrTooLarge, "and so none is written")
}

// nestedTxn is transactions within transactions.
func nestedTxn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range depth {
		r = &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestTxn{RequestTxn: r}}}}
	}
	return r
}

// TestWhateverComesInCanBeReadAgain: the deepest transaction that gRPC takes can
// be read from the log, though there it lies two messages deeper; what is deeper
// is corrupt.
func TestWhateverComesInCanBeReadAgain(t *testing.T) {
	in := func(depth int) bool {
		wire, err := proto.Marshal(nestedTxn(depth))
		require.NoError(t, err)
		return proto.Unmarshal(wire, new(pb.TxnRequest)) == nil
	}
	const deepest = 4999 // each level is two messages
	require.True(t, in(deepest))
	require.False(t, in(deepest+1))
	read := func(depth int) error {
		sealed, err := EncodeBatch(&revision.Batch{Requests: []*recordpb.Request{
			{Kind: &recordpb.Request_Txn{Txn: nestedTxn(depth)}}}}, 1, new(Compressor))
		require.NoError(t, err)
		_, err = sealed.batch()
		return err
	}
	require.NoError(t, read(deepest))
	require.ErrorIs(t, read(deepest+2), revision.ErrCorrupt)
}

// TestCheckpointRecordsThatCannotBe: the record that starting zkines trust most.
func TestCheckpointRecordsThatCannotBe(t *testing.T) {
	l := Layout{Root: "/zkine"}
	sound := `{"attempt":"3-aabbccdd","segment":3,"revision":9,"bytes":5,"manifest":{"parts":1,"length":5,"raw":5,"crc32c":1}}`
	record, err := parseCheckpointRecord(l, []byte(`{"latest":`+sound+`,"previous":`+sound+`}`))
	require.NoError(t, err)
	require.EqualValues(t, 3, record.Latest.Segment)
	for _, damage := range []struct{ from, to string }{
		{`"length":5`, `"length":-5`}, {`"raw":5`, `"raw":-5`}, {`"parts":1`, `"parts":-1`}, {`"parts":1`, `"parts":9e9`},
		{`"segment":3`, `"segment":-3`}, {`"segment":3`, `"segment":4`}, {`"revision":9`, `"revision":-9`},
		{`"bytes":5`, `"bytes":-5`}, {`3-aabbccdd`, `../log`}, {`3-aabbccdd`, ``},
	} {
		damaged := strings.Replace(sound, damage.from, damage.to, 1)
		for _, text := range []string{`{"latest":` + damaged + `}`, `{"latest":` + sound + `,"previous":` + damaged + `}`} {
			_, err := parseCheckpointRecord(l, []byte(text))
			require.ErrorIs(t, err, revision.ErrCorrupt, text)
			require.ErrorContains(t, err, "/zkine/checkpoint")
			require.ErrorContains(t, err, "from a backup of ZooKeeper")
		}
	}
	_, err = parseCheckpointRecord(l, []byte(`{"previous":`+sound+`}`))
	require.ErrorIs(t, err, revision.ErrCorrupt)
}

// namedError fails unless err is one that names what is wrong.
func namedError(t *testing.T, err error) {
	t.Helper()
	for _, known := range []error{revision.ErrCorrupt, revision.ErrNewerFormat, revision.ErrForeignRoot} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("no named error: %v", err)
}
