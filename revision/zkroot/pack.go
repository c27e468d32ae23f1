package zkroot

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
)

// A sealed segment's slots are packed: runs of them become one compressed
// znode, for ZooKeeper's heap and for the time that a start takes. One multi
// creates a pack and deletes exactly the slots in it, so a reader finds each
// slot in one place or the other. Nonces and bytes stay what they were.
//
// A pack's data:
//
//	 0  'Z' 'P'                  magic
//	 2  version      uint8       1
//	 3  0            uint8
//	 4  raw length   uint32      of the payload, uncompressed
//	 8  checksum     uint32      CRC32C of bytes 0 to 7 and the payload
//	12  payload                  zstd of the slots' data, each after its length as a uvarint
//
// Its name tells the first and the last slot.
const (
	packVersion = 1
	packHead    = 12
	// packSlots bounds the slots of a pack: each is a delete in the multi.
	packSlots = 1000
	// packRaw bounds a pack's payload before compression, in bytes.
	packRaw = 4 << 20
	// packAlone is the size in bytes from which a slot stays a znode of its own.
	packAlone = 64 << 10
	// packMost is what the payload of a pack can hold at most: a run, and the
	// lengths in front of its slots.
	packMost = packRaw + packAlone + packSlots*binary.MaxVarintLen32
)

// PackRef is a pack's name, read.
type PackRef struct{ First, Last int64 }

func parsePack(name string) (PackRef, error) {
	var r PackRef
	n, err := fmt.Sscanf(name, "p-%d-%d", &r.First, &r.Last)
	if n != 2 || err != nil || r.First < 0 || r.Last < r.First || r.Last-r.First >= packSlots || r.name() != name {
		return PackRef{}, fmt.Errorf("%w: %q is not a pack's name", revision.ErrCorrupt, name)
	}
	return r, nil
}

func (r PackRef) name() string { return fmt.Sprintf("p-%010d-%010d", r.First, r.Last) }

// Packs lists a segment's packs in order; none if nothing was packed.
func (r Reader) Packs(ctx context.Context, segment string) ([]PackRef, error) {
	folder := r.layout.Pack(segment)
	names, err := r.conn.Children(ctx, folder)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", folder, err)
	}
	refs := make([]PackRef, 0, len(names))
	for _, name := range names {
		ref, err := parsePack(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove what does not belong there", folder, err)
		}
		refs = append(refs, ref)
	}
	sort.Slice(refs, func(i, j int) bool { return refs[i].First < refs[j].First })
	return refs, nil
}

func encodePack(slots [][]byte) []byte {
	size := 0
	for _, s := range slots {
		size += binary.MaxVarintLen32 + len(s)
	}
	raw := make([]byte, 0, size)
	for _, s := range slots {
		raw = binary.AppendUvarint(raw, uint64(len(s)))
		raw = append(raw, s...)
	}
	data := make([]byte, packHead, packHead+len(raw)/2)
	data[0], data[1], data[2] = 'Z', 'P', packVersion
	binary.BigEndian.PutUint32(data[4:], uint32(len(raw)))
	data = blobEncoder.EncodeAll(raw, data)
	binary.BigEndian.PutUint32(data[8:], checksum(data[:8], data[packHead:]))
	return data
}

// decodePack returns the data of count slots.
func decodePack(data []byte, count int) ([][]byte, error) {
	if len(data) < packHead || data[0] != 'Z' || data[1] != 'P' {
		return nil, fmt.Errorf("%w: %d bytes that are no pack's", revision.ErrCorrupt, len(data))
	}
	if checksum(data[:8], data[packHead:]) != binary.BigEndian.Uint32(data[8:]) {
		return nil, fmt.Errorf("%w: checksum of a pack does not match", revision.ErrCorrupt)
	}
	if data[2] != packVersion || data[3] != 0 {
		return nil, fmt.Errorf("%w: pack of version %d", revision.ErrNewerFormat, data[2])
	}
	size := binary.BigEndian.Uint32(data[4:])
	if size > packMost || count < 0 || count > packSlots {
		return nil, fmt.Errorf("%w: pack of %d bytes, %d slots", revision.ErrCorrupt, size, count)
	}
	raw, err := unpack(data[packHead:], int(size), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: pack: %w", revision.ErrCorrupt, err)
	}
	slots := make([][]byte, 0, count)
	for range count {
		n, used := binary.Uvarint(raw)
		if used <= 0 || n > uint64(len(raw)-used) {
			return nil, fmt.Errorf("%w: a pack holds less than %d slots", revision.ErrCorrupt, count)
		}
		slots = append(slots, raw[used:used+int(n)])
		raw = raw[used+int(n):]
	}
	if len(raw) > 0 {
		return nil, fmt.Errorf("%w: a pack holds more than %d slots", revision.ErrCorrupt, count)
	}
	return slots, nil
}

// PackRun is slots that follow each other, to be packed together.
type PackRun struct {
	first int64
	slots [][]byte
	bytes int
}

// Ends says whether a pack ends before a slot of so many bytes.
func (r *PackRun) Ends(slot int64, size int) bool {
	return len(r.slots) > 0 && (slot != r.first+int64(len(r.slots)) || size >= packAlone ||
		len(r.slots) == packSlots || r.bytes+size > packRaw)
}

// Add takes a slot in, unless it is so large that it stays a znode of its own.
func (r *PackRun) Add(slot int64, data []byte) {
	if len(data) >= packAlone {
		return
	}
	if len(r.slots) == 0 {
		r.first = slot
	}
	r.slots = append(r.slots, data)
	r.bytes += len(data)
}

// Count is how many slots it has.
func (r *PackRun) Count() int { return len(r.slots) }

// Ref names the pack of a run, which must not be empty.
func (r *PackRun) Ref() PackRef { return PackRef{r.first, r.first + int64(len(r.slots)) - 1} }

// Encode is the pack's data.
func (r *PackRun) Encode() []byte { return encodePack(r.slots) }

// Halves cuts a run into two.
func (r *PackRun) Halves() (first, second PackRun) {
	half := len(r.slots) / 2
	return PackRun{first: r.first, slots: r.slots[:half]}, PackRun{first: r.first + int64(half), slots: r.slots[half:]}
}

// FindPack returns the index of the pack that holds a slot.
func FindPack(packs []PackRef, slot int64) (i int, found bool) {
	i = sort.Search(len(packs), func(i int) bool { return packs[i].Last >= slot })
	return i, i < len(packs) && packs[i].First <= slot
}
