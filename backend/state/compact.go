package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
)

// compaction raises the floor, and is complete with that for every reader. The
// memory is freed later, by CompactPhysically.
func (m *Machine) compaction(r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	switch rev := revision.Rev(r.Revision); {
	case rev <= m.compactRev:
		return nil, ErrCompacted
	case rev > m.rev:
		return nil, ErrFutureRev
	default:
		m.compactions = append(m.compactions, Compaction{At: rev, Before: m.compactRev})
		m.compactRev = rev
	}
	return &pb.CompactionResponse{Header: m.header()}, nil
}

// CompactPhysically frees what no read at or above the floor needs. It looks at
// limit changes at most, or at all of one revision if that made more. It says
// whether there is more to do. What reads find stays the same. In etcd's words,
// this is the physical part of a compaction.
//
// Called by the goroutine that applies, between slots.
func (m *Machine) CompactPhysically(limit int) (more bool) {
	return m.CompactPhysicallyTo(m.compactRev, limit)
}

// CompactPhysicallyTo is CompactPhysically up to a lower floor: what a read there
// needs stays. It says whether there is more to do up to that floor.
func (m *Machine) CompactPhysicallyTo(floor revision.Rev, limit int) (more bool) {
	floor = min(floor, m.compactRev)
	if m.swept >= floor {
		return false
	}
	// trimmed is set before anything is freed: see store.overtaken.
	m.trimmed.Store(int64(floor))
	m.view = nil
	for m.swept = max(m.swept, firstChange-1); m.swept < floor && limit > 0; {
		var events []Event
		m.swept, events = m.history.after(m.swept)
		limit -= len(events)
		for _, e := range events {
			m.sweep(e.v)
		}
	}
	// The floor itself can still be read, and watched from.
	m.history.drop(index(m.swept))
	m.keyCountLog.drop(m.keyCountLogUpTo(m.swept))
	return m.swept < floor
}

// sweep frees what is older than v, a version at or below the floor. If v is a
// tombstone and its key's newest version, it frees v too.
func (m *Machine) sweep(v *version) {
	for older := v.prev.Load(); older != nil; older = older.prev.Load() {
		m.pool.Drop(&older.kv)
	}
	v.prev.Store(nil)
	if !v.tombstone() {
		return
	}
	if newest, ok := m.tombstones.Get(v.key); ok && newest == v {
		m.tombstones.Delete(v.key)
	}
}
