package transfer

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"
	"unsafe"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// ErrHoles says that the history lacks revisions, so that no watch could go on from
// there.
var ErrHoles = errors.New("transfer: the history has holes")

// entry is a version in the bucket "key", in the file's order, which is that of
// revisions. Its key is a copy; its value lies in the file, at a place and of a size.
type entry struct {
	key       string
	at        int64
	size      int
	main      int64
	sub       int32
	tombstone bool
}

// index is what keys a snapshot has. Values are read from the file when they are asked
// for: a mapping of all of it would count as memory.
type index struct {
	file    io.ReaderAt
	mapped  uintptr // where the file is mapped while the index is made
	end     int64   // of the file
	inline  []byte  // values that bbolt copied; see place
	entries []entry
	// order is the entries by key, then by age.
	order []int32
	// raise is the latest entry that etcdutl's --bump-revision left; main is 0 for none.
	raise entry
	// hole is the first revision above the floor that lacks changes; 0 for none.
	hole  int64
	bytes int64
}

// readKeys reads the bucket but for its values.
func (ix *index) readKeys(bucket *bbolt.Bucket, floor int64) error {
	last := entry{main: max(floor, 1)}
	err := bucket.ForEach(func(k, v []byte) error {
		e, err := readEntry(k, v)
		if err == nil {
			err = ix.place(&e, v)
		}
		if err != nil {
			return err
		}
		if len(v) == 0 {
			ix.raise = e
			return nil
		}
		follows := e.main == last.main+1 && e.sub == 0 || e.main == last.main && e.sub == last.sub+1 && e.main > floor
		if e.main > floor && !follows && ix.hole == 0 {
			ix.hole = last.main + 1
		}
		if e.main >= last.main {
			last = e
		}
		ix.entries = append(ix.entries, e)
		ix.bytes += int64(len(v))
		return nil
	})
	if err != nil {
		return err
	}
	ix.order = make([]int32, len(ix.entries))
	for i := range ix.order {
		ix.order[i] = int32(i)
	}
	slices.SortFunc(ix.order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(ix.entries[a].key, ix.entries[b].key), cmp.Compare(a, b))
	})
	return nil
}

// mostInline bounds what a bucket may hold that lies within a page of its parent's: a
// quarter of a page, and pages have 64 KiB at most.
const mostInline = 64 << 10

// place notes where in the file a value lies that is mapped into memory. A bucket of a
// few small entries lies within a page of its parent's, at any address, and then bbolt
// may have copied it: its values are kept, at places below 0.
func (ix *index) place(e *entry, v []byte) error {
	if e.size = len(v); e.size == 0 {
		return nil
	}
	e.at = int64(uintptr(unsafe.Pointer(unsafe.SliceData(v))) - ix.mapped)
	if e.at < 0 || e.at > ix.end-int64(e.size) {
		if len(ix.inline)+e.size <= mostInline {
			e.at = -1 - int64(len(ix.inline))
			ix.inline = append(ix.inline, v...)
			return nil
		}
		return fmt.Errorf("%w: the change of revision %d lies outside; fetch it again", ErrDamaged, e.main)
	}
	return nil
}

// value reads a value, into the room if that is enough.
func (ix *index) value(e *entry, room []byte) ([]byte, error) {
	room = slices.Grow(room[:0], e.size)[:e.size]
	if e.at < 0 {
		copy(room, ix.inline[-1-e.at:])
		return room, nil
	}
	if _, err := ix.file.ReadAt(room, e.at); err != nil {
		return nil, fmt.Errorf("the change of revision %d: %w", e.main, err)
	}
	return room, nil
}

// readEntry reads an entry of bucket "key": its key is main (8 bytes) '_' sub (8
// bytes), and 't' if it is a tombstone. An empty value is what etcdutl's
// --bump-revision leaves.
func readEntry(k, v []byte) (e entry, err error) {
	if len(k) != 17 && (len(k) != 18 || k[17] != 't') || k[8] != '_' {
		return e, fmt.Errorf("%w: an entry of the history has a key of %d bytes; is it of another program?", ErrNotSnapshot, len(k))
	}
	e.main, e.tombstone = int64(binary.BigEndian.Uint64(k)), len(k) == 18
	sub := binary.BigEndian.Uint64(k[9:17])
	if e.main < 1 || sub > 1<<31-1 {
		return e, fmt.Errorf("%w: revision %d, change %d; fetch it again", ErrDamaged, e.main, sub)
	}
	e.sub = int32(sub)
	if len(v) == 0 {
		return e, nil
	}
	number, kind, n := protowire.ConsumeTag(v)
	key, size := []byte(nil), -1
	if number == 1 && kind == protowire.BytesType && n > 0 {
		key, size = protowire.ConsumeBytes(v[n:])
	}
	if size < 0 || len(key) == 0 {
		return e, fmt.Errorf("%w: the change of revision %d names no key; fetch it again", ErrDamaged, e.main)
	}
	e.key = string(key)
	return e, nil
}

// version decodes an entry. What it points to is a copy. room is for the value, and
// is returned.
func (ix *index) version(e *entry, room []byte) (_ state.Version, _ []byte, err error) {
	kv := new(mvccpb.KeyValue)
	if e.tombstone {
		kv.Key, kv.ModRevision = []byte(e.key), e.main
		return state.Version{KV: kv, Sub: e.sub}, room, nil
	}
	if room, err = ix.value(e, room); err != nil {
		return state.Version{}, nil, err
	}
	if err := proto.Unmarshal(room, kv); err != nil {
		return state.Version{}, nil, fmt.Errorf("%w: the change of revision %d: %w; fetch it again", ErrDamaged, e.main, err)
	}
	if kv.ModRevision != e.main || kv.Version < 1 {
		return state.Version{}, nil, fmt.Errorf("%w: the change of revision %d says that it is one of %d; fetch it again", ErrDamaged, e.main, kv.ModRevision)
	}
	return state.Version{KV: kv, Sub: e.sub}, room, nil
}

// versions yields all in the order of keys.
func (s *Snapshot) versions(ctx context.Context) iter.Seq2[state.Version, error] {
	return func(yield func(state.Version, error) bool) {
		var room []byte
		for i, at := range s.index.order {
			if i%1000 == 0 && ctx.Err() != nil {
				yield(state.Version{}, context.Cause(ctx))
				return
			}
			var v state.Version
			var err error
			v, room, err = s.index.version(&s.index.entries[at], room)
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// floorEvents is the changes of the floor's revision.
func (ix *index) floorEvents(floor int64) (events []state.Version, err error) {
	first, _ := slices.BinarySearchFunc(ix.entries, floor, func(e entry, floor int64) int { return cmp.Compare(e.main, floor) })
	for i := first; i < len(ix.entries) && ix.entries[i].main == floor; i++ {
		v, _, err := ix.version(&ix.entries[i], nil)
		if err != nil {
			return nil, err
		}
		events = append(events, v)
	}
	return events, nil
}

// hashKV is what etcd answers to HashKV at its current revision, once it has
// compacted at the floor: the entries above the floor, and those below that are still
// the newest of their key and no tombstone.
func (ix *index) hashKV(floor revision.Rev) (sum uint32, err error) {
	counts := ix.counted(floor)
	table := crc32.MakeTable(crc32.Castagnoli)
	sum = crc32.Update(0, table, []byte("key"))
	var key, value []byte
	add := func(e *entry) {
		if err != nil {
			return
		}
		key = binary.BigEndian.AppendUint64(key[:0], uint64(e.main))
		key = binary.BigEndian.AppendUint64(append(key, '_'), uint64(e.sub))
		if e.tombstone {
			key = append(key, 't')
		}
		if value, err = ix.value(e, value); err == nil {
			sum = crc32.Update(crc32.Update(sum, table, key), table, value)
		}
	}
	raised := ix.raise.main == 0
	for i := range ix.entries {
		e := &ix.entries[i]
		if !raised && (e.main > ix.raise.main || e.main == ix.raise.main && e.sub > ix.raise.sub) {
			raised = true
			add(&ix.raise)
		}
		if e.main > int64(floor) || counts[i] {
			add(e)
		}
	}
	if !raised {
		add(&ix.raise)
	}
	return sum, err
}

// counted says which entries at or below the floor count for the hash at the current
// revision: those that are still the newest of their key. If there is no key, those
// that a compaction leaves; see state.View.HashKV.
func (ix *index) counted(floor revision.Rev) []bool {
	newest, left := make([]bool, len(ix.entries)), make([]bool, len(ix.entries))
	some := ix.raise.main > 0
	for i, at := range ix.order {
		e := &ix.entries[at]
		var next *entry // of the same key
		if i+1 < len(ix.order) && ix.entries[ix.order[i+1]].key == e.key {
			next = &ix.entries[ix.order[i+1]]
		}
		newest[at] = next == nil && !e.tombstone
		left[at] = (next == nil || next.main > int64(floor)) && !e.tombstone
		some = some || newest[at]
	}
	if some {
		return newest
	}
	return left
}
