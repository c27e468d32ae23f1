package state

import (
	"cmp"
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
	return s.hashKV(newKVHash(), rev)
}

func (s *store) hashKV(h *kvHash, rev revision.Rev) (KVHash, error) {
	sum, err := s.hash(h, rev, s.compactRev, func(newest *version) bool { return newest.at(rev) != nil })
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
// between the two floors may be freed (see Machine.CompactPhysicallyTo), or the
// revision was raised above them.
func (v *View) HashCompaction(c Compaction) (uint32, error) {
	return v.store.hash(newKVHash(), c.At, c.Before, func(newest *version) bool {
		found := newest.upTo(c.At)
		return found != nil && (!found.tombstone() || found.mod == c.At)
	})
}

// hash is that of the versions up to rev, with that floor. keeps says whether a
// compaction at rev would keep a version of a key. If it would keep one of any
// key, the versions at or below the floor count that are still the newest of
// their key at rev; if not, the others there count.
func (s *store) hash(h *kvHash, rev, floor revision.Rev, keeps func(newest *version) bool) (uint32, error) {
	// Before as after: history that this view itself does not have any more cannot
	// be walked, and what the machine frees by then is missed.
	if s.lacks(floor) {
		return 0, ErrCompacted
	}
	for _, p := range s.base(rev, floor, keeps) {
		h.add(p.v)
	}
	for at := max(floor+1, firstChange); at <= rev; at++ {
		for _, e := range s.history.of(at) {
			h.add(e.v)
		}
	}
	if s.lacks(floor) {
		return 0, ErrCompacted
	}
	return h.crc, nil
}

// lacks says whether some of what was above that floor, or was found there, may
// be gone: freed, or put aside when the revision was raised.
func (s *store) lacks(floor revision.Rev) bool {
	return int64(floor) < s.trimmed.Load() || s.latestRaise != nil && floor < s.latestRaise.mod
}

// base is the versions at or below the floor that count for a hash at rev, in
// the order in which they were written.
func (s *store) base(rev, floor revision.Rev, keeps func(newest *version) bool) []placed {
	var kept, replaced []placed
	keepsAny := false
	if s.latestRaise != nil && s.latestRaise.mod <= rev {
		kept, keepsAny = append(kept, placed{s.latestRaise.mod, s.latestRaise.sub, s.latestRaise}), true
	}
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
	crc uint32
	key entryKey
	// sums are of versions whose values are not there any more.
	sums map[*version]entrySum
}

func newKVHash() *kvHash { return &kvHash{crc: crc32.Checksum([]byte("key"), castagnoli)} }

func (h *kvHash) add(v *version) {
	if sum, is := h.sums[v]; is {
		h.crc = joinCRC(h.crc, sum.crc, sum.size)
		return
	}
	h.crc = crc32.Update(h.crc, castagnoli, h.key.of(v))
	h.crc = crc32.Update(h.crc, castagnoli, v.entryValue())
}

// entrySum is the checksum of an entry by itself, and its size in bytes.
type entrySum struct {
	crc  uint32
	size int
}

// sum notes what add needs of a version once its value is gone.
func (h *kvHash) sum(v *version) {
	key, value := h.key.of(v), v.entryValue()
	crc := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	h.sums[v] = entrySum{crc, len(key) + len(value)}
}

// joinCRC is the checksum of a text, given that of its beginning and that of the rest,
// which has so many bytes: a checksum is a polynomial over two elements modulo
// Castagnoli's, and each byte that follows multiplies it by x^8.
func joinCRC(begin, rest uint32, size int) uint32 {
	factor := uint32(1 << 31) // x^0; the highest bit is the lowest power
	for i := 0; size > 0; i, size = i+1, size>>1 {
		if size&1 != 0 {
			factor = multiplyCRC(factor, bytePowers[i])
		}
	}
	return multiplyCRC(begin, factor) ^ rest
}

// bytePowers are x^(8·2^i).
var bytePowers = func() (powers [32]uint32) {
	powers[0] = 1 << (31 - 8)
	for i := 1; i < len(powers); i++ {
		powers[i] = multiplyCRC(powers[i-1], powers[i-1])
	}
	return powers
}()

func multiplyCRC(a, b uint32) (product uint32) {
	for bit := uint32(1 << 31); bit > 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		b = b>>1 ^ crc32.Castagnoli&-(b&1)
	}
	return product
}
