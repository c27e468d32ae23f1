package state

import (
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/zkine/zkine/revision"
)

// store is everything that can be read. A View holds one that never changes. The
// Machine holds the one that it works on.
type store struct {
	// rev is the current revision, compactRev the floor: -1 before the first
	// compaction, then never going back and never above rev.
	rev, compactRev revision.Rev
	// changes counts the changes that the request under way has made, all of
	// them at rev+1. It is 0 in a view.
	changes int

	keyspace
	history history
	// latestRaise is the latest raise of the revision, nil if there was none; see raise.go.
	latestRaise *version
	leases      *btree.Map[int64, *lease]
	// alarms is sorted, and replaced as a whole.
	alarms []alarm
	// agreement is the latest round of digests; replaced as a whole.
	agreement Agreement
	auth      auth

	seq  revision.Seq
	term uint64
	// applied counts the requests that were applied, those that erred too.
	applied uint64
	// nonces is the sum of the nonces of the current segment, for Digest.
	nonces uint64

	// trimmed is the floor up to which versions may have been cut off, shared
	// by the machine and all its views.
	trimmed *atomic.Int64
}

// current is the revision that a read without one sees: within a request, its
// own changes are visible.
func (s *store) current() revision.Rev {
	if s.changes > 0 {
		return s.rev + 1
	}
	return s.rev
}

// overtaken says whether a read at rev, just done, may have missed versions that
// the machine has freed in the same time.
func (s *store) overtaken(rev revision.Rev) bool {
	return rev < s.current() && int64(rev) < s.trimmed.Load()
}

// resolve is the revision that a request for rev reads at.
func (s *store) resolve(rev int64) (revision.Rev, error) {
	at := revision.Rev(rev)
	switch {
	case at > s.current():
		return 0, ErrFutureRev
	case at <= 0:
		return s.current(), nil
	case at < s.compactRev:
		return 0, ErrCompacted
	}
	return at, nil
}

// copy is a store that shares all of s, and can be changed without changing s.
func (s *store) copy() store {
	c := *s
	c.live, c.tombstones, c.leases = s.live.Copy(), s.tombstones.Copy(), s.leases.Copy()
	return c
}
