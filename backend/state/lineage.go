package state

import "bytes"

// CanSucceed says whether this view can follow on old: whether replaying more of
// the log that led to old can have led to this view. It reads all of both.
//
// It compares what both still hold of the time up to old:
//   - every change above both floors,
//   - the versions that a read at this view's floor finds,
//   - the leases that were not renewed since.
//
// False is proof that the two come from different logs. True is no proof: a
// difference may have been overwritten and compacted. A client that goes on from
// old's revision is then told that this revision is compacted.
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

// sameVersions compares the versions at s's floor that are no newer than o. Their
// keys have not changed since, so that o must have the same versions.
func (s *store) sameVersions(o *store) bool {
	for _, v := range s.atFloor() {
		if v.mod <= o.rev && !v.same(o.newestUpTo(v.key, v)) {
			return false
		}
	}
	return true
}

// newestUpTo is the newest version of the key that is not newer than v, or nil.
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
	return other != nil && v.mod == other.mod && v.sub == other.sub && bytes.Equal(v.wire(), other.wire())
}

// sameLeases compares the leases that were not granted or renewed since o.
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
