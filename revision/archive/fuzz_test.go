package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkroot"
)

// An archive lies where others may write. Each target gets what zkine's own encoders
// make, and that damaged, under a right hash: a hash tells that nothing was changed by
// accident.

// damaged adds data, and what little accidents make of it.
func damaged(data []byte, add func([]byte)) {
	add(data)
	for i := 0; i < len(data); i += 7 {
		flipped := bytes.Clone(data)
		flipped[i] ^= 0x80
		add(flipped)
	}
	add(data[:len(data)/2])
	add(append(bytes.Clone(data), data...))
}

var fuzzedPlace = placeID{cluster: 0xabc1}

// FuzzObject reads an object that says of itself, and of its size, what it likes.
func FuzzObject(f *testing.F) {
	l := label{kindChunk, fuzzedPlace, 3, 1, 1}
	for _, raw := range []string{"", "small", strings.Repeat("a chunk ", 10_000)} {
		sealed := l.seal([]byte(raw))
		damaged(sealed[objectHead:len(sealed)-32], func(packed []byte) { f.Add(packed, uint32(len(raw)), uint8(objectVersion)) })
		f.Add(sealed[objectHead:len(sealed)-32], uint32(math.MaxUint32), uint8(objectVersion))
	}
	f.Fuzz(func(t *testing.T, packed []byte, size uint32, version uint8) {
		raw, err := l.open(resealed(l, packed, size, version))
		if err != nil {
			require.True(t, judges(err), "%v", err)
			return
		}
		require.Len(t, raw, int(size))
		_, err = (label{kindChunk, fuzzedPlace, 3, 2, 1}).open(resealed(l, packed, size, version))
		require.ErrorIs(t, err, ErrCorrupt, "in another object's place")
	})
}

// resealed is an object with a right hash, whatever is in it.
func resealed(l label, packed []byte, size uint32, version uint8) []byte {
	data := l.seal(nil)[:objectHead]
	data[2] = version
	binary.BigEndian.PutUint32(data[4:], size)
	data = append(data, packed...)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...)
}

// FuzzSlots reads the payload of an object of slots.
func FuzzSlots(f *testing.F) {
	const name = "0000000003-aabbccdd"
	var slots []zkroot.InlineSlot
	for _, value := range []string{"", "small", strings.Repeat("x", 5000)} {
		sealed, err := zkroot.EncodeBatch(&revision.Batch{Requests: []*recordpb.Request{
			{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte("k"), Value: []byte(value)}}},
		}}, 1, new(zkroot.Compressor))
		require.NoError(f, err)
		slots = append(slots, zkroot.InlineSlot{Data: sealed.Bytes()})
	}
	damaged(encodeRun(name, slots), func(raw []byte) { f.Add(raw, int64(0), int64(len(slots)-1)) })
	f.Add([]byte(nil), int64(0), int64(maxRunSlots-1))
	f.Add(binary.AppendUvarint(nil, math.MaxUint64), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, first, last int64) {
		r := run{segment: 3, first: first, last: last}
		if _, ok := parseRun(fuzzedPlace, r.name(fuzzedPlace)); !ok {
			return // no such object is read
		}
		slots, err := decodeSlots(fuzzedPlace, r, r.label(fuzzedPlace).seal(raw))
		if err != nil {
			require.True(t, judges(err), "%v", err)
			return
		}
		require.Len(t, slots, int(last-first+1))
		for i, slot := range slots {
			require.Equal(t, revision.Seq{Segment: 3, Slot: first + int64(i)}, slot.Slot.Seq)
		}
	})
}

// FuzzManifest reads a checkpoint's list of chunks.
func FuzzManifest(f *testing.F) {
	c := CheckpointRef{Segment: 3, Revision: 9}
	whole, err := json.Marshal(manifest{3, 9, []chunkRef{refOf([]byte("meta")), refOf([]byte("keys"))}})
	require.NoError(f, err)
	damaged(whole, func(raw []byte) { f.Add(raw) })
	for _, bytes := range []int64{-1, math.MaxInt64, zkroot.MaxRaw + 1} {
		raw, err := json.Marshal(manifest{3, 9, []chunkRef{refOf([]byte("meta")), {Bytes: bytes}, {Bytes: bytes}}})
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Add([]byte(strings.Repeat("[", 20_000)))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := &Place{id: fuzzedPlace, store: objects{
			c.manifestName(fuzzedPlace): c.label(fuzzedPlace, kindManifest, 0).seal(raw),
			c.chunkName(fuzzedPlace, 0): c.label(fuzzedPlace, kindChunk, 0).seal([]byte("meta")),
			c.chunkName(fuzzedPlace, 1): c.label(fuzzedPlace, kindChunk, 1).seal([]byte("keys")),
		}}
		cp, err := p.checkpoint(t.Context(), c)
		if err != nil {
			require.True(t, judges(err), "%v", err)
			require.ErrorContains(t, err, c.folder(fuzzedPlace))
			return
		}
		require.Equal(t, "meta", string(cp.Meta))
		require.GreaterOrEqual(t, cp.RawBytes, int64(0))
		for chunk, err := range cp.Chunks(t.Context()) {
			if err != nil {
				require.True(t, judges(err), "%v", err)
				break
			}
			require.Equal(t, "keys", string(chunk))
		}
	})
}

// FuzzObjectNames reads the names that a list has.
func FuzzObjectNames(f *testing.F) {
	p := placeID{0xabc1, 2}
	f.Add(p.String())
	f.Add(run{3, 0, 9, revision.Seq{Segment: 2, Slot: endOfSegment}, 1e12}.name(fuzzedPlace))
	f.Add(run{3, -1, 9, revision.Seq{Segment: -2}, -1}.name(fuzzedPlace))
	f.Add(run{3, 0, math.MaxInt64, revision.Seq{}, 0}.name(fuzzedPlace))
	f.Add(CheckpointRef{3, 9, 1e12}.chunkName(fuzzedPlace, 7))
	f.Add(CheckpointRef{3, 9, -5}.manifestName(fuzzedPlace))
	f.Fuzz(func(t *testing.T, name string) {
		if p, ok := parsePlace(name); ok {
			require.Equal(t, name, p.String())
			require.GreaterOrEqual(t, p.accepted, int64(0))
		}
		if r, ok := parseRun(fuzzedPlace, name); ok {
			require.Equal(t, name, r.name(fuzzedPlace))
			require.Less(t, r.last-r.first, int64(maxRunSlots))
			require.GreaterOrEqual(t, min(r.first, r.after.Segment, r.after.Slot, r.written), int64(0))
		}
		if c, rest, ok := parseCheckpoint(fuzzedPlace, name); ok {
			require.Equal(t, name, c.folder(fuzzedPlace)+"/"+rest)
			require.GreaterOrEqual(t, c.written, int64(0))
		}
	})
}

// objects is a store with fixed objects.
type objects map[string][]byte

func (objects) String() string                            { return "memory" }
func (objects) Put(context.Context, string, []byte) error { return errors.ErrUnsupported }
func (objects) Remove(context.Context, string) error      { return errors.ErrUnsupported }
func (objects) List(context.Context, string) iter.Seq2[Object, error] {
	return func(func(Object, error) bool) {}
}

func (o objects) Get(_ context.Context, name string, _ int64) ([]byte, error) {
	if data, found := o[name]; found {
		return data, nil
	}
	return nil, ErrNotFound
}
