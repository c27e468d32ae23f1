package revision

import (
	"sort"
	"sync"
)

// maxMappings bounds a revMap; the older half goes when it is full.
const maxMappings = 1 << 17

// revMap is the map between the latest revisions and places in the log. Entries grow in
// both directions at once, so one slice per map and a binary search serve.
// Slots that made no revision are not in it.
type revMap struct {
	mu      sync.RWMutex
	entries []mapping
	floor   Rev // what it knew up to there is gone
}

// mapping says that the slot at seq took the store up to rev.
type mapping struct {
	seq Seq
	rev Rev
}

// add notes that the slot at seq is applied and the store is at rev.
func (m *revMap) add(seq Seq, rev Rev) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.entries); n > 0 && m.entries[n-1].rev >= rev {
		return
	}
	if len(m.entries) == maxMappings {
		m.floor = m.entries[maxMappings/2-1].rev
		rest := copy(m.entries, m.entries[maxMappings/2:])
		m.entries = m.entries[:rest]
	}
	m.entries = append(m.entries, mapping{seq, rev})
}

// locate returns the slot that made rev.
func (m *revMap) locate(rev Rev) (Seq, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i := sort.Search(len(m.entries), func(i int) bool { return m.entries[i].rev >= rev })
	if i == len(m.entries) || rev <= m.floor {
		return Seq{}, false
	}
	return m.entries[i].seq, true
}

// at returns the revision that the store had once the slot at seq was applied.
func (m *revMap) at(seq Seq) (Rev, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i := sort.Search(len(m.entries), func(i int) bool { return seq.Before(m.entries[i].seq) })
	if i == 0 {
		return 0, false
	}
	return m.entries[i-1].rev, true
}
