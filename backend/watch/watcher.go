package watch

import (
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/pkg/v3/adt"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// watcher is one watch: a cursor into the history. Its stream's Next goroutine
// owns it but for dirty, which the hub sets.
//
// Invariant: every event that concerns it before next was delivered. Every
// later one is at or after dirty, if dirty is set, or above the hub's revision;
// but not while behind is set: then there may be some from next on.
type watcher struct {
	stream *stream
	id     int64
	key    string
	// end is the range's end: "" for a single key, "\x00" for no end.
	end     string
	start   revision.Rev // the first revision that the client wants; 0 for those to come
	next    revision.Rev
	told    revision.Rev // the header's revision in the last response with events
	behind  bool         // the last pull ended before the newest revision
	noPut   bool
	noDel   bool
	prevKV  bool
	notify  bool // wants periodic progress
	large   bool // wants large responses in fragments
	quiet   bool // nothing was sent since the last periodic progress
	dropped bool // cancelled because of a compaction; its id stays taken; under the stream's lock

	// dirty is the first revision with something for it, 0 for none.
	dirty atomic.Int64
}

// noEnd is a range_end that means "no end".
const noEnd = "\x00"

// interval is the range in the hub's tree; false for a single key.
func (w *watcher) interval() (adt.Interval, bool) {
	switch w.end {
	case "":
		return adt.Interval{}, false
	case noEnd:
		// The tree's empty end means infinity.
		return adt.NewStringAffineInterval(w.key, ""), true
	default:
		return adt.NewStringAffineInterval(w.key, w.end), true
	}
}

func (w *watcher) wants(e state.Event) bool {
	if e.IsDelete() && w.noDel || !e.IsDelete() && w.noPut {
		return false
	}
	key := e.Key()
	switch w.end {
	case "":
		return key == w.key
	case noEnd:
		return key >= w.key
	default:
		return key >= w.key && key < w.end
	}
}

// mark notes that rev has something for the watcher. Later marks add nothing:
// the pull goes on to the newest view.
func (w *watcher) mark(rev revision.Rev) {
	if w.dirty.CompareAndSwap(0, int64(rev)) {
		w.stream.enqueue(w, w.stream.hub.now)
	}
}

const (
	// pullRevisions and pullBytes end one response: several revisions in one
	// spare a watcher that is behind much work. A revision is never split. A client
	// that does not read keeps gRPC holding two responses.
	pullRevisions = 1000
	pullBytes     = 64 << 10
	// eventMemory is what an event takes in memory besides its bytes.
	eventMemory = 256
)

// due takes the mark away and returns the revision from which to pull.
func (w *watcher) due() revision.Rev {
	marked := revision.Rev(w.dirty.Swap(0))
	if w.behind {
		return w.next
	}
	return max(w.next, marked)
}

// pull collects what there is for the watcher from a revision on; nil if that
// is nothing, after all.
func (w *watcher) pull(v *state.View, from revision.Rev) *pb.WatchResponse {
	var events []*mvccpb.Event
	size, revisions := 0, 0
	rev := from
	for ; rev <= v.Rev() && revisions < pullRevisions && size < pullBytes; rev++ {
		change, _ := v.Change(rev)
		var bytes int
		if events, bytes = w.pick(events, change, v.CompactRev()); bytes > 0 {
			size += bytes
			revisions++
		}
	}
	w.next = max(w.next, rev)
	w.behind = rev <= v.Rev()
	if len(events) == 0 {
		return nil
	}
	w.quiet, w.told = false, v.Rev()
	return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: int64(v.Rev())}, WatchId: w.id, Events: events}
}

// pick appends those events of a change that the watcher wants, and tells how
// many bytes they take.
func (w *watcher) pick(events []*mvccpb.Event, change state.Change, floor revision.Rev) ([]*mvccpb.Event, int) {
	var made []*mvccpb.Event
	bytes := 0
	for i, e := range change.Events {
		if !w.wants(e) {
			continue
		}
		if bytes == 0 {
			made, _ = w.stream.hub.events.of(change, w.prevKV, floor)
		}
		if made != nil {
			events = append(events, made[i])
		} else {
			events = append(events, e.Proto(w.prevKV, floor))
		}
		bytes += e.Size(w.prevKV) + eventMemory
	}
	return events, bytes
}
