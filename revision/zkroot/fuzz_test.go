package zkroot

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// Each target gets what zkine's own encoders make, and that damaged by hand,
// under right checksums where there are any: a checksum tells who was not at
// fault, not that the bytes are sound.

// damaged adds data, and what little accidents make of it.
func damaged(f *testing.F, data []byte, add func([]byte)) {
	f.Helper()
	add(data)
	for i := range data {
		if i%7 == 0 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 0x80
			add(flipped)
		}
	}
	add(data[:len(data)/2])
	add(append(bytes.Clone(data), data...))
}

func FuzzDecodePack(f *testing.F) {
	var slots [][]byte
	for _, value := range []string{"", "small", strings.Repeat("x", 5000)} {
		sealed, err := EncodeBatch(testBatch(value), 1, new(Compressor))
		require.NoError(f, err)
		slots = append(slots, sealed.Bytes())
	}
	data := encodePack(slots)
	damaged(f, data[packHead:], func(payload []byte) {
		f.Add(payload, binary.BigEndian.Uint32(data[4:]), len(slots))
	})
	f.Add(data[packHead:], uint32(math.MaxUint32), -1)
	f.Add(swollen(1<<20), uint32(16), 1)
	f.Fuzz(func(t *testing.T, payload []byte, size uint32, count int) {
		data := append([]byte{'Z', 'P', packVersion, 0, 0, 0, 0, 0, 0, 0, 0, 0}, payload...)
		binary.BigEndian.PutUint32(data[4:], size)
		binary.BigEndian.PutUint32(data[8:], checksum(data[:8], payload))
		slots, err := decodePack(data, count)
		if err != nil {
			namedError(t, err)
			return
		}
		require.Len(t, slots, count)
		held := 0
		for _, slot := range slots {
			if held += len(slot); len(slot) > 0 {
				if e, err := DecodeEnvelope(slot); err == nil && !e.staged() {
					_, err = e.batch()
					if err != nil {
						namedError(t, err)
					}
				}
			}
		}
		require.LessOrEqual(t, held, int(size))
	})
}

func FuzzReadBlob(f *testing.F) {
	stored, ref := EncodeBlob([]byte(strings.Repeat("a chunk ", 100)), 1<<20)
	damaged(f, stored, func(stored []byte) { f.Add(stored, ref.Parts, len(stored), ref.Raw) })
	for _, n := range []int{-1, 0, 2, math.MaxInt, math.MinInt} {
		f.Add(stored, n, ref.Length, ref.Raw)
		f.Add(stored, ref.Parts, n, ref.Raw)
		f.Add(stored, ref.Parts, ref.Length, n)
	}
	f.Fuzz(func(t *testing.T, stored []byte, parts, length, raw int) {
		ref := BlobRef{Parts: parts, Length: length, Raw: raw, Checksum: crc32.Checksum(stored, castagnoli)}
		out, err := NewReader(&oneNode{data: stored}, Layout{Root: "/zkine"}).blob(t.Context(), ref, func(int) string { return "/zkine/blob" })
		if err != nil {
			namedError(t, err)
			require.ErrorContains(t, err, "/zkine/blob")
			return
		}
		require.Len(t, out, raw)
	})
}

func FuzzManifest(f *testing.F) {
	chunk := &recordpb.StoredChunk{Attempt: "3-aabbccdd", Number: 1, Parts: 2, StoredLength: 10, RawLength: 20, Checksum: 5, Hash: make([]byte, 16)}
	raw, err := proto.Marshal(&recordpb.CheckpointManifest{Segment: 3, Revision: 9, Meta: chunk, Chunks: []*recordpb.StoredChunk{chunk}})
	require.NoError(f, err)
	damaged(f, raw, func(raw []byte) { f.Add(raw, int64(3)) })
	for _, c := range []*recordpb.StoredChunk{
		{}, {Attempt: "3-aa", Number: -1, Parts: 1}, {Attempt: "3-aa", Parts: -1}, {Attempt: "3-aa", Parts: math.MaxInt32, StoredLength: 5},
		{Attempt: "3-aa", Parts: 1, StoredLength: math.MaxUint32}, {Attempt: "3-aa", Parts: 1, RawLength: math.MaxUint32}, {Attempt: "../log", Parts: 1},
	} {
		raw, err := proto.Marshal(&recordpb.CheckpointManifest{Segment: 3, Meta: chunk, Chunks: []*recordpb.StoredChunk{c}})
		require.NoError(f, err)
		f.Add(raw, int64(3))
	}
	f.Fuzz(func(t *testing.T, raw []byte, segment int64) {
		stored, blob := EncodeBlob(raw, 1<<20)
		ref := &CheckpointRef{Attempt: "3-aabbccdd", Segment: segment, Manifest: blob}
		m, err := NewReader(&oneNode{data: stored}, Layout{Root: "/zkine"}).Manifest(t.Context(), ref)
		if err != nil {
			namedError(t, err)
			require.ErrorContains(t, err, "/zkine/checkpoint/3-aabbccdd/m-0")
			return
		}
		require.Equal(t, segment, m.Segment)
		for _, c := range append(m.Chunks, m.Meta) {
			require.NoError(t, ChunkRef(c).check())
			path := Layout{Root: "/zkine"}.Chunk(c.Attempt, int(c.Number), 0)
			require.NotContains(t, path, "..")
			require.Equal(t, 4, strings.Count(path, "/"))
		}
	})
}

// FuzzRecords is the znodes that are JSON.
func FuzzRecords(f *testing.F) {
	ref := CheckpointRef{Attempt: "3-aabbccdd", Segment: 3, Revision: 9, Bytes: 5, Manifest: BlobRef{Parts: 1, Length: 5, Raw: 5}}
	for kind, record := range []any{
		formatRecord{Zkine: "zkine", Format: formatVersion, ClusterID: "abc1"},
		OpenRecord{OpenSegment: "3-aabbccdd"},
		CheckpointRecord{Latest: &ref, Previous: &ref},
		TrustRecord{Halt: &Halt{By: "a", Revision: 9}, Accepted: &Accepted{Number: 5}},
		Unfinished{Attempt: "1-aabbccdd", Source: "a snapshot"},
	} {
		damaged(f, MustJSON(record), func(data []byte) { f.Add(uint8(kind), data) })
		f.Add(uint8(kind), []byte(strings.Repeat("[", 20_000)))
		f.Add(uint8(kind), []byte("null"))
	}
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		l := Layout{Root: "/zkine"}
		var err error
		reader := NewReader(&oneNode{data: data}, l)
		switch kind % 5 {
		case 0:
			_, err = parseFormat(l, data)
		case 1:
			_, err = ParseOpen(l, data, &zk.Stat{Version: 3})
		case 2:
			_, err = parseCheckpointRecord(l, data)
		case 3:
			_, _, err = reader.Trust(t.Context())
		case 4:
			_, _, err = reader.Unfinished(t.Context())
		}
		if err != nil {
			namedError(t, err)
			require.ErrorContains(t, err, "/zkine/")
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{"p-0000000000-0000000999", "p-0-1", "p-0000000000-9223372036854775807", "3-aabbccdd", "0-", "s-0000000001", "s--1"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if ref, err := parsePack(name); err == nil {
			require.Equal(t, name, ref.name())
			require.Less(t, ref.Last-ref.First, int64(packSlots))
		} else {
			namedError(t, err)
		}
		if ref, err := ParseSegmentRef(name); err == nil {
			require.NotContains(t, ref.Name, "/")
			require.Positive(t, ref.Number)
		} else {
			namedError(t, err)
		}
		if n, err := SlotNumber(name); err == nil {
			require.GreaterOrEqual(t, n, int64(0))
		} else {
			namedError(t, err)
		}
	})
}
