package state

import (
	"sort"

	"github.com/tidwall/btree"

	"github.com/zkine/zkine/revision"
)

// treeDegree is small: each slot copies the path to every leaf that it touches,
// and finding the n-th key looks at the siblings on the path.
const treeDegree = 12

// keyspace is the keys, with their versions since the floor.
//
// Invariants: a key is in live or in tombstones or in neither, never in both. The
// version in live is the key's newest and no tombstone. The one in tombstones is
// the key's newest and a tombstone. A key in neither has no version that can be
// read.
// The string under which a version is kept is its own key().
type keyspace struct {
	live, tombstones *btree.Map[string, *version]
	// keyCountLog holds, by revision, the versions that created or deleted a key,
	// and so changed the number of keys.
	keyCountLog vector[*version]
	// liveBytes is the sum of size() over live.
	liveBytes int64
}

func newKeyspace() keyspace {
	return keyspace{
		live:       btree.NewMap[string, *version](treeDegree),
		tombstones: btree.NewMap[string, *version](treeDegree),
	}
}

// span is a range of keys as etcd's requests give them.
type span struct {
	lo, hi string
	kind   spanKind
}

type spanKind uint8

const (
	oneKey    spanKind = iota // lo alone
	bounded                   // [lo, hi)
	unbounded                 // [lo, ∞)
)

// newSpan reads key and range_end: an empty range_end means the one key, "\0"
// means all keys from key on. The span points into both.
func newSpan(key, rangeEnd []byte) span {
	switch {
	case len(rangeEnd) == 0:
		return span{lo: alias(key), kind: oneKey}
	case len(rangeEnd) == 1 && rangeEnd[0] == 0:
		return span{lo: alias(key), kind: unbounded}
	}
	return span{lo: alias(key), hi: alias(rangeEnd), kind: bounded}
}

// below says whether key, at or above lo, is within the span.
func (sp span) below(key string) bool {
	switch sp.kind {
	case oneKey:
		return key == sp.lo
	case bounded:
		return key < sp.hi
	}
	return true
}

func (sp span) contains(key string) bool { return key >= sp.lo && sp.below(key) }

// walk calls each with the live keys of the span in order, until it returns false.
func (k *keyspace) walk(sp span, each func(*version) bool) {
	if sp.kind == oneKey {
		if v, ok := k.live.Get(sp.lo); ok {
			each(v)
		}
		return
	}
	k.live.Ascend(sp.lo, func(key string, v *version) bool {
		return sp.below(key) && each(v)
	})
}

// walkNewest is walk over live and tombstones together.
func (k *keyspace) walkNewest(sp span, each func(*version) bool) {
	tombstones := k.tombstones.Iter()
	more := tombstones.Seek(sp.lo) && sp.below(tombstones.Key())
	if !more {
		k.walk(sp, each)
		return
	}
	stopped := false
	k.walk(sp, func(v *version) bool {
		for more && tombstones.Key() < v.key && !stopped {
			stopped = !each(tombstones.Value())
			more = tombstones.Next() && sp.below(tombstones.Key())
		}
		stopped = stopped || !each(v)
		return !stopped
	})
	for more && !stopped {
		stopped = !each(tombstones.Value())
		more = tombstones.Next() && sp.below(tombstones.Key())
	}
}

// walkAt is walk at an older revision.
func (k *keyspace) walkAt(sp span, rev revision.Rev, each func(*version) bool) {
	k.walkNewest(sp, func(newest *version) bool {
		v := newest.at(rev)
		return v == nil || each(v)
	})
}

// count is how many live keys the span has, in logarithmic time.
func (k *keyspace) count(sp span) int { return countIn(k.live, sp) }

func countIn(tree *btree.Map[string, *version], sp span) int {
	if sp.kind == oneKey {
		if _, ok := tree.Get(sp.lo); ok {
			return 1
		}
		return 0
	}
	lo := rank(tree, sp.lo, 0)
	if sp.kind == unbounded {
		return tree.Len() - lo
	}
	if sp.hi <= sp.lo {
		return 0
	}
	return rankNear(tree, sp.hi, lo) - lo
}

// rank is how many keys of the tree are below key. The first from keys are known
// to be below it.
func rank(tree *btree.Map[string, *version], key string, from int) int {
	if last, _, ok := tree.Max(); !ok || last < key {
		return tree.Len()
	}
	return from + sort.Search(tree.Len()-from, func(i int) bool {
		at, _, _ := tree.GetAt(from + i)
		return at >= key
	})
}

// rankNear is rank, and faster if the result is near from: it searches within
// growing strides.
func rankNear(tree *btree.Map[string, *version], key string, from int) int {
	for stride := 16; from+stride < tree.Len(); stride *= 8 {
		at, _, _ := tree.GetAt(from + stride)
		if at >= key {
			return from + sort.Search(stride, func(i int) bool {
				at, _, _ := tree.GetAt(from + i)
				return at >= key
			})
		}
		from += stride
	}
	return rank(tree, key, from)
}

// countAt is how many keys the span had at an older revision. It takes the
// current number and undoes the creates and deletes since. It counts one by one
// if that is less work.
func (k *keyspace) countAt(sp span, rev revision.Rev) int {
	since := k.keyCountLogUpTo(rev)
	if sp.kind != oneKey {
		n := k.count(sp)
		if k.keyCountLog.end-since <= n+countIn(k.tombstones, sp) {
			return n - k.net(sp, since)
		}
	}
	n := 0
	k.walkAt(sp, rev, func(*version) bool { n++; return true })
	return n
}

// keyCountLogUpTo is the index in keyCountLog of the first version above rev.
func (k *keyspace) keyCountLogUpTo(rev revision.Rev) int {
	first := k.keyCountLog.first
	return first + sort.Search(k.keyCountLog.end-first, func(i int) bool {
		return (*k.keyCountLog.at(first + i)).mod > rev
	})
}

// net is by how many keys the span has grown since an index of keyCountLog.
func (k *keyspace) net(sp span, from int) int {
	n := 0
	for i := from; i < k.keyCountLog.end; i++ {
		switch v := *k.keyCountLog.at(i); {
		case !sp.contains(v.key):
		case v.tombstone():
			n--
		default:
			n++
		}
	}
	return n
}

// insert makes v the newest version of its key, after old: nil if the key does
// not exist.
func (k *keyspace) insert(v, old *version) {
	key := v.key
	if old == nil {
		// Get first: a Delete that finds no key would still copy nodes.
		if tombstone, ok := k.tombstones.Get(key); ok {
			v.prev.Store(tombstone)
			k.tombstones.Delete(key)
		}
		k.keyCountLog.append(v)
	} else {
		v.prev.Store(old)
		k.liveBytes -= old.size()
	}
	k.live.Set(key, v)
	k.liveBytes += v.size()
}

// insertTombstone makes the tombstone v the newest version of its key, after old.
func (k *keyspace) insertTombstone(v, old *version) {
	key := v.key
	v.prev.Store(old)
	k.live.Delete(key)
	k.tombstones.Set(key, v)
	k.keyCountLog.append(v)
	k.liveBytes -= old.size()
}
