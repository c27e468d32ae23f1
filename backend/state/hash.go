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

// HashKV is etcd's hash of all versions up to rev (0 is the current revision),
// as its MVCC store would compute it for the same history. (etcd's own HashKV
// answers for a revision that was just compacted from a cache, with the hash of
// before the compaction; after a restart it answers like this.) Errors:
// ErrCompacted, ErrFutureRev.
//
// What goes in is the name of etcd's bucket, "key", and for each version, by
// revision, its entry there (see View.Entries).
//
// Of the versions at or below the compact revision, those count that are still
// the newest of their key at rev; unless no key exists at rev: then all that
// the compaction left. Tombstones at the compact revision do not count.
func (v *View) HashKV(rev revision.Rev) (hash uint32, compactRev, hashRev revision.Rev, err error) {
	s := &v.root
	switch {
	case rev > 0 && rev < s.compactRev:
		return 0, 0, 0, ErrCompacted
	case rev > s.rev:
		return 0, 0, 0, ErrFutureRev
	case rev == 0:
		rev = s.rev
	}
	h := newKVHash()
	for _, v := range s.base(rev) {
		h.add(v)
	}
	for at := max(s.compactRev+1, firstChange); at <= rev; at++ {
		for _, e := range s.history.of(at) {
			h.add(e.v)
		}
	}
	if int64(s.compactRev) < s.trimmed.Load() {
		return 0, 0, 0, ErrCompacted
	}
	return h.crc.Sum32(), s.compactRev, rev, nil
}

// base is the versions at or below the compact revision that count for a hash
// at rev, in the order in which they were written.
func (s *root) base(rev revision.Rev) []*version {
	var kept, replaced []*version
	anyAlive := false
	s.walkNewest(span{kind: unbounded}, func(newest *version) bool {
		alive, old := newest.at(rev), newest.at(min(rev, s.compactRev))
		anyAlive = anyAlive || alive != nil
		switch {
		case old == nil:
		case old == alive:
			kept = append(kept, old)
		default:
			replaced = append(replaced, old)
		}
		return true
	})
	if !anyAlive {
		kept = replaced
	}
	slices.SortFunc(kept, compareVersions)
	return kept
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
