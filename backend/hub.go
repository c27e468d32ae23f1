package backend

import (
	"context"
	"sync"
	"sync/atomic"

	"go.etcd.io/etcd/pkg/v3/adt"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// hub finds out which watchers a change concerns, and wakes them. It carries
// no events: a watcher pulls from the history of a view, from the first
// revision that the hub marked.
//
// Ordering: the apply loop publishes a view, then wakes the hub. The hub marks
// the watchers of every revision up to the view's, then raises its own
// revision. So a watcher that is not marked has missed nothing at or below the
// hub's revision.
type hub struct {
	view   *atomic.Pointer[state.View]
	woken  chan struct{}
	recent recentEvents // watchers pull through it
	turns  *turns

	mu sync.Mutex
	// rev is the revision up to which watchers were marked.
	rev    revision.Rev
	keys   map[string]watcherSet
	ranges adt.IntervalTree // of watcherSet
	// streams wait for rev to rise, to answer a progress request.
	streams map[*watchStream]struct{}
	all     map[*watchStream]struct{}
	closed  error
}

type watcherSet map[*watcher]struct{}

func newHub(view *atomic.Pointer[state.View], rev revision.Rev) *hub {
	return &hub{view: view, woken: make(chan struct{}, 1), turns: newTurns(), rev: rev,
		keys: map[string]watcherSet{}, ranges: adt.NewIntervalTree(),
		streams: map[*watchStream]struct{}{}, all: map[*watchStream]struct{}{}}
}

// wake tells the hub that a view was published.
func (h *hub) wake() {
	select {
	case h.woken <- struct{}{}:
	default:
	}
}

// run marks watchers until ctx ends.
func (h *hub) run(ctx context.Context) {
	for {
		select {
		case <-h.woken:
			h.advance(h.view.Load())
		case <-ctx.Done():
			return
		}
	}
}

// advance marks the watchers of all changes up to the view's revision.
func (h *hub) advance(v *state.View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.all) > 0 {
		for rev := h.rev + 1; rev <= v.Rev(); rev++ {
			change, kept := v.Change(rev)
			if !kept {
				// Compacted before the hub came to it: each watcher finds
				// out by itself whether that concerns it.
				h.markAll(rev)
				rev = max(rev, v.CompactRev()-1)
				continue
			}
			h.mark(change)
		}
	}
	h.rev = max(h.rev, v.Rev())
	for s := range h.streams {
		s.wake()
	}
	clear(h.streams)
}

func (h *hub) mark(change state.Change) {
	for _, e := range change.Events {
		key := e.Key()
		for w := range h.keys[key] {
			w.mark(change.Rev)
		}
		if h.ranges.Len() == 0 {
			continue
		}
		h.ranges.Visit(adt.NewStringAffinePoint(key), func(iv *adt.IntervalValue) bool {
			for w := range iv.Val.(watcherSet) {
				w.mark(change.Rev)
			}
			return true
		})
	}
}

func (h *hub) markAll(rev revision.Rev) {
	for s := range h.all {
		for _, w := range s.watchers {
			w.mark(rev)
		}
	}
}

// add registers a watcher; from then on the hub marks it. It returns the
// current revision: what comes after is new to the watcher.
func (h *hub) add(w *watcher) revision.Rev {
	current := h.view.Load().Rev()
	if iv, ranged := w.interval(); ranged {
		set := watcherSet{}
		if found := h.ranges.Find(iv); found != nil {
			set = found.Val.(watcherSet)
		} else {
			h.ranges.Insert(iv, set)
		}
		set[w] = struct{}{}
	} else {
		set := h.keys[w.key]
		if set == nil {
			set = watcherSet{}
			h.keys[w.key] = set
		}
		set[w] = struct{}{}
	}
	return current
}

func (h *hub) remove(w *watcher) {
	if iv, ranged := w.interval(); ranged {
		if found := h.ranges.Find(iv); found != nil {
			set := found.Val.(watcherSet)
			if delete(set, w); len(set) == 0 {
				h.ranges.Delete(iv)
			}
		}
		return
	}
	if set := h.keys[w.key]; set != nil {
		if delete(set, w); len(set) == 0 {
			delete(h.keys, w.key)
		}
	}
}

// close ends all streams.
func (h *hub) close(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = err
	for s := range h.all {
		s.end(err)
	}
}

// open registers a stream.
func (h *hub) open(s *watchStream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[s] = struct{}{}
	if h.closed != nil {
		s.end(h.closed)
	}
}
