package watch

import (
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

const (
	// cachedRevisions is how far behind the newest one a watcher may be to find
	// events ready made.
	cachedRevisions = 256
	// cachedEventsMax and cachedBytes bound what is kept of a revision: all in
	// all some MiB, which may belong to versions that are no longer in the state.
	cachedEventsMax = 8
	cachedBytes     = 16 << 10
)

// eventCache holds the events of the newest revisions as responses carry them.
// The first watcher that pulls a revision makes them, for all others: of many
// watchers on one prefix each spares an allocation of some 400 bytes an event.
// What it returns is shared and must not change.
type eventCache struct {
	plain, withPrev [cachedRevisions]atomic.Pointer[madeEvents]
}

// madeEvents are a revision's events, with previous values as they could be
// read above floor.
type madeEvents struct {
	rev, floor revision.Rev
	events     []*mvccpb.Event
}

// of returns all events of a change, in order; false if there are too many to
// keep, of which a watcher had better make only those that it wants.
func (r *eventCache) of(change state.Change, prevKV bool, floor revision.Rev) ([]*mvccpb.Event, bool) {
	if len(change.Events) > cachedEventsMax {
		return nil, false
	}
	kept := &r.plain[change.Rev%cachedRevisions]
	if prevKV {
		kept = &r.withPrev[change.Rev%cachedRevisions]
	}
	if m := kept.Load(); m != nil && m.rev == change.Rev && m.floor == floor {
		return m.events, true
	}
	m := &madeEvents{rev: change.Rev, floor: floor, events: make([]*mvccpb.Event, len(change.Events))}
	size := 0
	for i, e := range change.Events {
		m.events[i] = e.Proto(prevKV, floor)
		size += e.Size(prevKV)
	}
	if size <= cachedBytes {
		kept.Store(m)
	}
	return m.events, true
}
