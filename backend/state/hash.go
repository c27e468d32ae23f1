package state

import (
	"cmp"
	"hash"
	"hash/crc32"
	"slices"

	"github.com/zkine/zkine/revision"
)

// castagnoli is the polynomial of etcd's hashes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// KVHash is etcd's hash of the keys' history.
type KVHash struct {
	Hash uint32
	// CompactRev is the compact revision, and At the revision, of the history
	// that was hashed.
	CompactRev, At revision.Rev
}

// HashKV is etcd's hash of all versions up to rev (0 is the current revision),
// as its MVCC store would compute it for the same history. For a revision that
// was compacted at, etcd answers with what it computed then: HashCompaction.
// Errors: ErrCompacted, ErrFutureRev.
//
// The hash is over the name of etcd's bucket, "key", and each version's entry
// there (see View.EtcdEntries), by revision.
//
// Above the compact revision all versions count. At or below it a version counts
// if it is still its key's newest at rev. If no key exists at rev, all versions
// count that the compaction left. Tombstones at the compact revision do not
// count.
func (v *View) HashKV(rev revision.Rev) (KVHash, error) {
	s := &v.store
	switch {
	case rev > 0 && rev < s.compactRev:
		return KVHash{}, ErrCompacted
	case rev > s.rev:
		return KVHash{}, ErrFutureRev
	case rev == 0:
		rev = s.rev
	}
	sum, err := s.hash(rev, s.compactRev, func(newest *version) bool { return newest.at(rev) != nil })
	if err != nil {
		return KVHash{}, err
	}
	return KVHash{Hash: sum, CompactRev: s.compactRev, At: rev}, nil
}

// Compaction is a move of the floor.
type Compaction struct {
	// At is the new floor, Before the one until then: -1 if there was none.
	At, Before revision.Rev
}

// HashCompaction is the hash that etcd computes while it compacts: of all
// versions up to the new floor, with the one before as the compact revision. It
// is what HashKV(c.At) was just before the compaction, but where no key existed
// at c.At and some were deleted at it. Error: ErrCompacted, once the versions
// between the two floors may be freed; see Machine.CompactPhysicallyTo.
func (v *View) HashCompaction(c Compaction) (uint32, error) {
	return v.store.hash(c.At, c.Before, func(newest *version) bool {
		found := newest.upTo(c.At)
		return found != nil && (!found.tombstone() || found.mod == c.At)
	})
}

// hash is that of the versions up to rev, with that floor. keeps says whether a
// compaction at rev would keep a version of a key. If it would keep one of any
// key, the versions at or below the floor count that are still the newest of
// their key at rev; if not, the others there count.
func (s *store) hash(rev, floor revision.Rev, keeps func(newest *version) bool) (uint32, error) {
	h := newKVHash()
	for _, p := range s.base(rev, floor, keeps) {
		h.add(p.v)
	}
	for at := max(floor+1, firstChange); at <= rev; at++ {
		for _, e := range s.history.of(at) {
			h.add(e.v)
		}
	}
	if int64(floor) < s.trimmed.Load() {
		return 0, ErrCompacted
	}
	return h.crc.Sum32(), nil
}

// base is the versions at or below the floor that count for a hash at rev, in
// the order in which they were written.
func (s *store) base(rev, floor revision.Rev, keeps func(newest *version) bool) []placed {
	var kept, replaced []placed
	keepsAny := false
	s.walkNewest(span{kind: unbounded}, func(newest *version) bool {
		alive, old := newest.at(rev), newest.at(min(rev, floor))
		keepsAny = keepsAny || keeps(newest)
		switch {
		case old == nil:
		case old == alive:
			kept = append(kept, placed{old.mod, old.sub, old})
		default:
			replaced = append(replaced, placed{old.mod, old.sub, old})
		}
		return true
	})
	if !keepsAny {
		kept = replaced
	}
	slices.SortFunc(kept, func(a, b placed) int { return cmp.Or(cmp.Compare(a.mod, b.mod), cmp.Compare(a.sub, b.sub)) })
	return kept
}

// placed is a version with its place in history beside it: to sort a million
// versions by what is in them would be a cache miss for each look.
type placed struct {
	mod revision.Rev
	sub int32
	v   *version
}

func compareVersions(a, b *version) int {
	return cmp.Or(cmp.Compare(a.mod, b.mod), cmp.Compare(a.sub, b.sub))
}

// kvHash is a hash under way.
type kvHash struct {
	crc hash.Hash32
	key entryKey
}

func newKVHash() *kvHash {
	h := &kvHash{crc: crc32.New(castagnoli)}
	h.crc.Write([]byte("key"))
	return h
}

func (h *kvHash) add(v *version) {
	h.crc.Write(h.key.of(v))
	h.crc.Write(v.entryValue())
}
