package watch

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/pkg/v3/adt"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Hub finds out which watchers a change concerns, and wakes them. It carries
// no events: a watcher pulls from the history of a view, from the first
// revision that the hub marked.
//
// Ordering: the apply loop publishes a view, then wakes the hub. The hub marks
// the watchers of every revision up to the view's, then raises its own
// revision. So a watcher that is not marked has missed nothing at or below the
// hub's revision.
type Hub struct {
	view     func() *state.View
	progress time.Duration // how often idle watchers that asked for it are told the revision
	woken    chan struct{}
	events   eventCache // watchers pull through it
	limiter  *limiter
	sent     atomic.Int64 // events that were handed out

	mu sync.Mutex
	// rev is the revision up to which watchers were marked.
	rev    revision.Rev
	keys   map[string]watcherSet
	ranges adt.IntervalTree // of watcherSet
	// streams wait for rev to rise, to answer a progress request.
	streams map[*stream]struct{}
	all     map[*stream]struct{}
	closed  error
	// now is when the view came of which watchers are being marked.
	now time.Time
}

type watcherSet map[*watcher]struct{}

// NewHub makes a hub. view is the newest view, and may be called by any goroutine;
// rev is the revision of the first one. Every progress, an idle watcher that asked
// for it is told the revision.
func NewHub(view func() *state.View, rev revision.Rev, progress time.Duration) *Hub {
	return &Hub{view: view, progress: progress, woken: make(chan struct{}, 1), limiter: newLimiter(), rev: rev,
		keys: map[string]watcherSet{}, ranges: adt.NewIntervalTree(),
		streams: map[*stream]struct{}{}, all: map[*stream]struct{}{}}
}

// Wake tells the hub that a view was published. It does not block.
func (h *Hub) Wake() {
	select {
	case h.woken <- struct{}{}:
	default:
	}
}

// Run marks watchers until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	for {
		select {
		case <-h.woken:
			h.advance(h.view())
		case <-ctx.Done():
			return
		}
	}
}

// advance marks the watchers of all changes up to the view's revision.
func (h *Hub) advance(v *state.View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = time.Now()
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

func (h *Hub) mark(change state.Change) {
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

func (h *Hub) markAll(rev revision.Rev) {
	for s := range h.all {
		for _, w := range s.watchers {
			w.mark(rev)
		}
	}
}

// add registers a watcher; from then on the hub marks it. It returns the
// current revision: what comes after is new to the watcher.
func (h *Hub) add(w *watcher) revision.Rev {
	current := h.view().Rev()
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

func (h *Hub) remove(w *watcher) {
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

// Open opens a stream; the caller closes it.
func (h *Hub) Open() Stream {
	jitter := rand.N(h.progress/10 + 1)
	s := &stream{hub: h, interval: h.progress + jitter,
		woken: make(chan struct{}, 1), eased: make(chan struct{}, 1), watchers: map[int64]*watcher{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[s] = struct{}{}
	if h.closed != nil {
		s.end(h.closed)
	}
	return s
}

// Close ends all streams, and those that are opened later, with an error.
func (h *Hub) Close(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = err
	for s := range h.all {
		s.end(err)
	}
}
