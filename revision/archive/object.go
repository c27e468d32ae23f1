package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/zkine/zkine/revision/zkroot"
)

// An object:
//
//	 0  'Z' 'A'                  magic
//	 2  version      uint8       1
//	 3  kind         uint8       slots, chunk or manifest
//	 4  raw length   uint32      of the payload, uncompressed
//	 8  cluster id   uint64
//	16  accepted     int64       the number of the decision after which the log began; 0
//	24  segment      int64       of the slots, or the last that the checkpoint covers
//	32  first        int64       slot; or the chunk's number
//	40  count        int64       of slots, 1 of anything else
//	48  payload                  zstd
//	    SHA-256                  of all before
//
// Integers are big endian, as in a slot. What it says must agree with its name, so that
// an object in another's place is found out.
const (
	objectVersion = 1
	objectHead    = 48
)

// kind is what an object holds.
type kind uint8

const (
	kindSlots kind = 1 + iota
	kindChunk
	kindManifest
)

// label is what an object says of itself.
type label struct {
	kind    kind
	place   placeID
	segment int64
	first   int64
	count   int64
}

// seal makes an object.
func (l label) seal(raw []byte) []byte {
	packed := zkroot.Compress(raw)
	data := make([]byte, objectHead, objectHead+len(packed)+sha256.Size)
	data[0], data[1], data[2], data[3] = 'Z', 'A', objectVersion, byte(l.kind)
	binary.BigEndian.PutUint32(data[4:], uint32(len(raw)))
	for i, n := range []uint64{l.place.cluster, uint64(l.place.accepted), uint64(l.segment), uint64(l.first), uint64(l.count)} {
		binary.BigEndian.PutUint64(data[8+8*i:], n)
	}
	data = append(data, packed...)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...)
}

// open returns what seal was given, or says what the object is instead: ErrCorrupt,
// ErrNewerFormat.
func (l label) open(data []byte) ([]byte, error) {
	if len(data) < objectHead+sha256.Size {
		return nil, fmt.Errorf("%w: %d bytes are no object: it is truncated", ErrCorrupt, len(data))
	}
	end := len(data) - sha256.Size
	if sum := sha256.Sum256(data[:end]); !bytes.Equal(sum[:], data[end:]) {
		return nil, fmt.Errorf("%w: the hash over its %d bytes does not match: it was changed, or is truncated", ErrCorrupt, len(data))
	}
	if data[0] != 'Z' || data[1] != 'A' {
		return nil, fmt.Errorf("%w: it is no object of an archive", ErrCorrupt)
	}
	if data[2] != objectVersion {
		return nil, fmt.Errorf("%w: version %d, this zkine reads %d; upgrade it", ErrNewerFormat, data[2], objectVersion)
	}
	var n [5]uint64
	for i := range n {
		n[i] = binary.BigEndian.Uint64(data[8+8*i:])
	}
	said := label{kind(data[3]), placeID{n[0], int64(n[1])}, int64(n[2]), int64(n[3]), int64(n[4])}
	if said != l {
		return nil, fmt.Errorf("%w: it is another object: %+v, and not %+v", ErrCorrupt, said, l)
	}
	raw, err := zkroot.Decompress(data[objectHead:end], int(binary.BigEndian.Uint32(data[4:])))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return raw, nil
}
