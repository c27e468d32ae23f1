package state

import (
	"hash/fnv"

	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// A checkpoint is a state as bytes: the meta (all but the keys) and the keys in
// order, in chunks. Replaying the log from there gives what replaying all of it
// would have given.
//
// Where a chunk ends depends on its keys alone, not on what comes before them. So
// a change of a key leaves the other chunks as they were, byte for byte, and the
// next checkpoint can take them over.

// chunking says where a chunk ends.
type chunking struct {
	// min and max bound a chunk, in bytes; the last version in it may exceed max.
	min, max int
	// mask ends a chunk, once it has its minimum, at one key in mask+1.
	mask uint32
}

// usual keeps a compressed chunk well below what one request to ZooKeeper
// takes, mostly, and the chunks of a million keys of 1 KiB below a thousand.
var usual = chunking{min: 512 << 10, max: 4 << 20, mask: 1<<7 - 1}

// CheckpointMeta encodes all of the state but its keys. Error: ErrCompacted,
// if the machine has freed what this view needs.
func (v *View) CheckpointMeta() ([]byte, error) {
	s := &v.store
	meta := &recordpb.CheckpointMeta{
		Revision: int64(s.rev), CompactRevision: int64(s.compactRev),
		Segment: s.seq.Segment, Slot: s.seq.Slot,
		Term: s.term, Applied: s.applied, Nonces: s.nonces,
		Alarms:      v.Alarms(),
		MarkSegment: s.agreement.At.Segment, MarkSlot: s.agreement.At.Slot,
	}
	for l := range v.Leases() {
		meta.Leases = append(meta.Leases, &recordpb.CheckpointLease{Id: l.ID, Ttl: l.TTL, RemainingTtl: l.Remaining, Renewed: l.Renewed})
	}
	for _, r := range s.agreement.Reports {
		meta.Reports = append(meta.Reports, &recordpb.DigestReport{MemberId: r.Member, Digest: r.Digest})
	}
	if s.latestRaise != nil {
		meta.RaisedTo, meta.RaisedSub = int64(s.latestRaise.mod), s.latestRaise.sub
	}
	if s.compactRev >= firstChange {
		for _, e := range s.history.of(s.compactRev) {
			meta.FloorEvents = append(meta.FloorEvents, &recordpb.CheckpointVersion{Kv: e.v.wire(), Sub: e.v.sub})
		}
	}
	if err := encodeAuth(meta, &s.auth); err != nil {
		return nil, err
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(meta)
	if err != nil {
		return nil, err
	}
	return data, v.freed()
}

// CheckpointKeys yields the keys in chunks, each a recordpb.CheckpointKeys in
// wire encoding, until yield returns false. The bytes belong to yield. Error:
// ErrCompacted, as for CheckpointMeta; what was yielded is of no use then.
func (v *View) CheckpointKeys(yield func(chunk []byte) bool) error {
	return v.checkpointKeys(usual, nextChunk, yield)
}

// LendCheckpointKeys is CheckpointKeys for who needs the bytes only until yield
// returns: all chunks take the memory of the largest.
func (v *View) LendCheckpointKeys(yield func(chunk []byte) bool) error {
	return v.checkpointKeys(usual, sameMemory, yield)
}

// nextChunk makes room for the chunk after one, which is probably no larger.
func nextChunk(chunk []byte) []byte { return make([]byte, 0, len(chunk)+len(chunk)/4) }

func sameMemory(chunk []byte) []byte { return chunk[:0] }

// checkpointKeys yields chunks, and has next make room for the one after each.
func (v *View) checkpointKeys(c chunking, next func([]byte) []byte, yield func(chunk []byte) bool) error {
	s := &v.store
	var chunk []byte
	stopped := false
	end := func() bool {
		if stopped = !yield(chunk); !stopped {
			chunk = next(chunk)
		}
		return !stopped
	}
	s.walkNewest(span{kind: unbounded}, func(newest *version) bool {
		versions := keptVersions(newest, s.compactRev)
		if versions == nil {
			return true // deleted at the floor, and not freed yet
		}
		if len(chunk) > 0 && c.ends(len(chunk), newest.keyBytes()) && !end() {
			return false
		}
		for i := len(versions) - 1; i >= 0; i-- {
			// A key can have more history than a chunk may hold.
			if len(chunk) >= c.max && !end() {
				return false
			}
			chunk = appendCheckpointVersion(chunk, versions[i])
		}
		return true
	})
	if !stopped && len(chunk) > 0 {
		yield(chunk)
	}
	return v.freed()
}

// freed is ErrCompacted once versions that this view needs may be freed.
func (v *View) freed() error {
	if int64(v.store.compactRev) < v.store.trimmed.Load() {
		return ErrCompacted
	}
	return nil
}

// ends says whether a chunk of that size ends before a key.
func (c chunking) ends(size int, key []byte) bool {
	if size < c.min || size >= c.max {
		return size >= c.max
	}
	h := fnv.New32a()
	h.Write(key)
	return h.Sum32()&c.mask == 0
}

// keptVersions lists a key's versions, newest first: those above the floor, and
// the one that is found there.
func keptVersions(newest *version, floor revision.Rev) (versions []*version) {
	for v := newest; v != nil; v = v.prev.Load() {
		if v.mod > floor {
			versions = append(versions, v)
			continue
		}
		if !v.tombstone() {
			versions = append(versions, v)
		}
		break
	}
	return versions
}

// Field numbers of recordpb.CheckpointKeys and CheckpointVersion.
const (
	fieldVersions = 1
	fieldKV       = 1
	fieldSub      = 2
)

func appendCheckpointVersion(chunk []byte, v *version) []byte {
	size := bytesSize(len(v.wire())) + varintSize(int64(v.sub))
	chunk = appendBytesHead(chunk, fieldVersions, size)
	chunk = appendBytes(chunk, fieldKV, v.wire())
	return appendVarint(chunk, fieldSub, int64(v.sub))
}
