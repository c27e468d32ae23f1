package state

import "bytes"

// CanSucceed says whether old can be this view's past: whether replaying more of
// one log can have led from it to this view. It compares what both still hold of
// the time up to old: every change above both floors, the versions that are
// found at this view's floor, and leases that were not renewed since. It reads
// everything.
//
// What says no is proof. What says yes is none for what was overwritten and
// compacted meanwhile; but then whoever reads on from old's revision is told that
// it is compacted.
func (v *View) CanSucceed(old *View) bool {
	s, o := &v.store, &old.store
	return !s.seq.Before(o.seq) && s.rev >= o.rev && s.compactRev >= o.compactRev && s.applied >= o.applied &&
		s.sameChanges(o) && s.sameVersions(o) && s.sameLeases(o)
}

// sameChanges compares the changes of the revisions that both have.
func (s *store) sameChanges(o *store) bool {
	for rev := max(s.compactRev+1, firstChange); rev <= o.rev; rev++ {
		ours, theirs := s.history.of(rev), o.history.of(rev)
		if len(ours) != len(theirs) {
			return false
		}
		for i := range ours {
			if !ours[i].v.same(theirs[i].v) {
				return false
			}
		}
	}
	return true
}

// sameVersions looks in o for the versions at s's floor that are as old: nothing
// has changed their keys between o's floor and s's.
func (s *store) sameVersions(o *store) bool {
	for _, v := range s.atFloor() {
		if v.mod <= o.rev && !v.same(o.newestUpTo(v.key(), v)) {
			return false
		}
	}
	return true
}

// newestUpTo is the key's newest version that is not newer than v; nil if there
// is none.
func (k *keyspace) newestUpTo(key string, v *version) *version {
	found, ok := k.live.Get(key)
	if !ok {
		found, _ = k.tombstones.Get(key)
	}
	for found != nil && (found.mod > v.mod || found.mod == v.mod && found.sub > v.sub) {
		found = found.prev.Load()
	}
	return found
}

func (v *version) same(other *version) bool {
	return other != nil && v.mod == other.mod && v.sub == other.sub && bytes.Equal(v.wire, other.wire)
}

// sameLeases looks in o for the leases whose last grant or renewal is as old.
func (s *store) sameLeases(o *store) bool {
	same := true
	s.leases.Scan(func(id int64, l *lease) bool {
		if l.Renewed <= o.applied {
			was, ok := o.leases.Get(id)
			same = ok && was.Renewed == l.Renewed && was.TTL == l.TTL
		}
		return same
	})
	return same
}
