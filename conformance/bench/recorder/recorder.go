package recorder

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zkine/zkine/conformance/bench/trace"
)

// Recorder gathers requests. It is safe for concurrent use.
type Recorder struct {
	mu       sync.Mutex
	began    time.Time
	requests []trace.Request
	conns    map[string]int // by the client's address
	streams  int
	// answered holds the first request whose answer had a revision; revisions are those, in order.
	answered  map[int64]int
	revisions []int64
	leases    map[int64]int // the grants by their leases
	unknown   map[string]int
	over      bool // nothing is noted any more
}

func newRecorder() *Recorder {
	return &Recorder{
		began: time.Now(), conns: make(map[string]int), answered: make(map[int64]int), leases: make(map[int64]int),
		unknown: make(map[string]int),
	}
}

// Phase notes that another phase begins.
func (r *Recorder) Phase(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(trace.Request{Kind: trace.Phase, Key: name, Since: trace.None, Lease: trace.None})
}

// Trace ends the recording. It is an error if something passed that it cannot hold.
func (r *Recorder) Trace(about string) (*trace.Trace, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	if len(r.unknown) > 0 {
		var all []string
		for _, what := range slices.Sorted(maps.Keys(r.unknown)) {
			all = append(all, fmt.Sprintf("%d of %s", r.unknown[what], what))
		}
		return nil, fmt.Errorf("requests that a recording cannot hold: %s", strings.Join(all, ", "))
	}
	return &trace.Trace{About: about, Requests: slices.Clone(r.requests)}, nil
}

// add notes a request and returns its index. The caller holds the lock.
func (r *Recorder) add(request trace.Request) int {
	if r.over {
		return trace.None
	}
	request.At = time.Since(r.began)
	r.requests = append(r.requests, request)
	return len(r.requests) - 1
}

// since finds the request whose answer had this revision, or the newest one before. The caller holds the lock.
func (r *Recorder) since(revision int64) int {
	at, found := slices.BinarySearch(r.revisions, revision)
	if !found {
		at--
	}
	if at < 0 {
		return trace.None
	}
	return r.answered[r.revisions[at]]
}

// saw notes the revision of a request's answer. The caller holds the lock.
func (r *Recorder) saw(index int, revision int64) {
	if _, known := r.answered[revision]; known || index == trace.None || revision == 0 {
		return
	}
	r.answered[revision] = index
	at, _ := slices.BinarySearch(r.revisions, revision)
	r.revisions = slices.Insert(r.revisions, at, revision)
}

// connection numbers the clients' connections. The caller holds the lock.
func (r *Recorder) connection(client string) int {
	if _, known := r.conns[client]; !known {
		r.conns[client] = len(r.conns)
	}
	return r.conns[client]
}
