package state

import (
	"encoding/binary"
	"iter"
	"slices"
)

// EtcdEntries is what etcd's bucket "key" holds of this state once a compaction has
// finished, in the bucket's order, which is that of revisions: every version
// from the compact revision on, tombstones too, and below it the newest version
// of each key that existed at it. An entry's key is
//
//	mod (8 bytes, big-endian) '_' sub (8 bytes, big-endian) ['t' if a tombstone]
//
// and its value the mvccpb.KeyValue; a tombstone's has the key alone. A raise of the
// revision is an entry with an empty value, as etcdutl makes it. The key's
// bytes are good until the next entry, the value's are shared and must not
// change. Error: ErrCompacted, if the machine has freed what this view needs. Once
// returned, the sequence cannot fail.
func (v *View) EtcdEntries() (iter.Seq2[[]byte, []byte], error) {
	s := &v.store
	older := slices.DeleteFunc(s.atFloor(), func(v *version) bool { return v.mod >= s.compactRev })
	if int64(s.compactRev) < s.trimmed.Load() {
		return nil, ErrCompacted
	}
	if s.latestRaise != nil {
		older = append(older, s.latestRaise)
	}
	slices.SortFunc(older, compareVersions)
	return func(yield func(key, value []byte) bool) {
		var key entryKey
		for _, v := range older {
			if !yield(key.of(v), v.entryValue()) {
				return
			}
		}
		for rev := max(s.compactRev, firstChange); rev <= s.rev; rev++ {
			for _, e := range s.history.of(rev) {
				if !yield(key.of(e.v), e.v.entryValue()) {
					return
				}
			}
		}
	}, nil
}

// entryKey is room for the key of an entry.
type entryKey [18]byte

// of is v's key, in k.
func (k *entryKey) of(v *version) []byte {
	binary.BigEndian.PutUint64(k[:], uint64(v.mod))
	k[8] = '_'
	binary.BigEndian.PutUint64(k[9:], uint64(v.sub))
	if !v.tombstone() {
		return k[:17]
	}
	k[17] = 't'
	return k[:]
}

// entryValue is v's value in the bucket.
func (v *version) entryValue() []byte {
	if v.tombstone() {
		return v.wire()[:v.keyEnd()]
	}
	return v.wire()
}
