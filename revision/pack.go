package revision

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"
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
	// packWorth is how many slots a run needs to be worth a pack.
	packWorth = 2
)

// packRef is a pack's name, read.
type packRef struct{ first, last int64 }

func parsePack(name string) (packRef, error) {
	var r packRef
	n, err := fmt.Sscanf(name, "p-%d-%d", &r.first, &r.last)
	if n != 2 || err != nil || r.first < 0 || r.last < r.first || r.last-r.first >= packSlots || r.name() != name {
		return packRef{}, fmt.Errorf("%w: %q is not a pack's name", ErrCorrupt, name)
	}
	return r, nil
}

func (r packRef) name() string { return fmt.Sprintf("p-%010d-%010d", r.first, r.last) }

// listPacks lists a segment's packs in order; none if nothing was packed.
func listPacks(ctx context.Context, conn Conn, l layout, segment string) ([]packRef, error) {
	names, err := conn.Children(ctx, l.pack(segment))
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", l.pack(segment), err)
	}
	refs := make([]packRef, 0, len(names))
	for _, name := range names {
		ref, err := parsePack(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove what does not belong there", l.pack(segment), err)
		}
		refs = append(refs, ref)
	}
	sort.Slice(refs, func(i, j int) bool { return refs[i].first < refs[j].first })
	return refs, nil
}

func encodePack(slots [][]byte) []byte {
	var raw []byte
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
		return nil, fmt.Errorf("%w: %d bytes that are no pack's", ErrCorrupt, len(data))
	}
	if checksum(data[:8], data[packHead:]) != binary.BigEndian.Uint32(data[8:]) {
		return nil, fmt.Errorf("%w: checksum of a pack does not match", ErrCorrupt)
	}
	if data[2] != packVersion || data[3] != 0 {
		return nil, fmt.Errorf("%w: pack of version %d", ErrNewerFormat, data[2])
	}
	size := binary.BigEndian.Uint32(data[4:])
	if size > packMost || count < 0 || count > packSlots {
		return nil, fmt.Errorf("%w: pack of %d bytes, %d slots", ErrCorrupt, size, count)
	}
	raw, err := unpack(data[packHead:], int(size), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: pack: %w", ErrCorrupt, err)
	}
	slots := make([][]byte, 0, count)
	for range count {
		n, used := binary.Uvarint(raw)
		if used <= 0 || n > uint64(len(raw)-used) {
			return nil, fmt.Errorf("%w: a pack holds less than %d slots", ErrCorrupt, count)
		}
		slots = append(slots, raw[used:used+int(n)])
		raw = raw[used+int(n):]
	}
	if len(raw) > 0 {
		return nil, fmt.Errorf("%w: a pack holds more than %d slots", ErrCorrupt, count)
	}
	return slots, nil
}

// packSegment packs what can be packed of a sealed segment. Two may do it at
// once: the one whose multi comes second fails, and goes on elsewhere.
func (k *housekeeping) packSegment(ref segmentRef) error {
	_, stat, err := k.conn.Get(k.ctx, k.l.layout.segment(ref.name))
	if err != nil {
		return err
	}
	slots, err := k.listSlots(ref)
	if err != nil || len(slots) < packWorth {
		return err
	}
	_, err = k.conn.Multi(k.ctx, createOp(k.l.layout.pack(ref.name), nil))
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return err
	}
	run := packRun{}
	for batch := range slices.Chunk(slots, packReads) {
		datas, err := k.readSlots(ref, batch)
		if err != nil {
			return err
		}
		for i, slot := range batch {
			if run.ends(slot, len(datas[i])) {
				if err := k.writePack(ref, int64(stat.Version), run); err != nil {
					return err
				}
				run = packRun{}
			}
			if len(datas[i]) < packAlone {
				run.add(slot, datas[i])
			}
		}
	}
	return k.writePack(ref, int64(stat.Version), run)
}

// packReads is how many slots are read at once: one after the other they would
// come more slowly than busy clients write new ones.
const packReads = 32

func (k *housekeeping) readSlots(ref segmentRef, slots []int64) ([][]byte, error) {
	datas := make([][]byte, len(slots))
	group, ctx := errgroup.WithContext(k.ctx)
	for i, slot := range slots {
		group.Go(func() (err error) {
			datas[i], _, err = k.conn.Get(ctx, k.l.layout.slot(ref.name, slot))
			return err
		})
	}
	return datas, group.Wait()
}

// listSlots lists the slots of a segment that are znodes of their own.
func (k *housekeeping) listSlots(ref segmentRef) ([]int64, error) {
	path := k.l.layout.segment(ref.name)
	names, err := k.conn.Children(k.ctx, path)
	if err != nil {
		return nil, err
	}
	slots := make([]int64, 0, len(names))
	for _, name := range names {
		slot, err := slotNumber(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove what does not belong there", path, err)
		}
		slots = append(slots, slot)
	}
	sort.Slice(slots, func(i, j int) bool { return slots[i] < slots[j] })
	return slots, nil
}

// packRun is slots that follow each other.
type packRun struct {
	first int64
	slots [][]byte
	bytes int
}

func (r *packRun) ends(slot int64, size int) bool {
	return len(r.slots) > 0 && (slot != r.first+int64(len(r.slots)) || size >= packAlone ||
		len(r.slots) == packSlots || r.bytes+size > packRaw)
}

func (r *packRun) add(slot int64, data []byte) {
	if len(r.slots) == 0 {
		r.first = slot
	}
	r.slots = append(r.slots, data)
	r.bytes += len(data)
}

// writePack replaces a run of slots by a pack; by two, if one is too large.
func (k *housekeeping) writePack(ref segmentRef, version int64, run packRun) error {
	if len(run.slots) < packWorth {
		return nil
	}
	data := encodePack(run.slots)
	deletes := len(run.slots) * (len(k.l.layout.slot(ref.name, 0)) + 32)
	if len(data)+deletes > k.l.limit() {
		half := len(run.slots) / 2
		if err := k.writePack(ref, version, packRun{first: run.first, slots: run.slots[:half]}); err != nil {
			return err
		}
		return k.writePack(ref, version, packRun{first: run.first + int64(half), slots: run.slots[half:]})
	}
	last := run.first + int64(len(run.slots)) - 1
	ops := []any{checkOp(k.l.layout.segment(ref.name), version), createOp(k.l.layout.packed(ref.name, run.first, last), data)}
	for i := range run.slots {
		ops = append(ops, &zk.DeleteRequest{Path: k.l.layout.slot(ref.name, run.first+int64(i)), Version: 0})
	}
	if _, err := k.conn.Multi(k.ctx, ops...); err != nil {
		return fmt.Errorf("pack %s: %w", k.l.layout.packed(ref.name, run.first, last), err)
	}
	return k.pace(k.ctx)
}

// readPack reads the slots of a pack.
func (l *Log) readPack(ctx context.Context, conn Conn, segment segmentRef, ref packRef) ([]*entry, error) {
	path := l.layout.packed(segment.name, ref.first, ref.last)
	data, stat, err := conn.Get(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	l.noteZxid(stat.Czxid)
	slots, err := decodePack(data, int(ref.last-ref.first+1))
	if err != nil {
		return nil, untrusted("pack "+path, err)
	}
	entries := make([]*entry, len(slots))
	for i, slot := range slots {
		e, err := l.decodeSlot(ctx, conn, segment, Seq{segment.number, ref.first + int64(i)}, slot)
		if err != nil {
			return nil, untrusted(fmt.Sprintf("slot %d in pack %s", ref.first+int64(i), path), err)
		}
		// What it takes in ZooKeeper is its share of the pack.
		e.size, e.packed = len(data)/len(slots), true
		entries[i] = e
	}
	return entries, nil
}

// findPack returns the index of the pack that holds a slot.
func findPack(packs []packRef, slot int64) (i int, found bool) {
	i = sort.Search(len(packs), func(i int) bool { return packs[i].last >= slot })
	return i, i < len(packs) && packs[i].first <= slot
}
