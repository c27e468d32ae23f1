package watch

import (
	"context"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
)

// Stream is the watchers of one gRPC watch stream. Create, Cancel and
// RequestProgress may be called by one goroutine while another calls Next. All
// answers come out of Next, in the order on which clients may rely: "created"
// before events, events by revision, progress after all events at or below its
// revision.
//
// A slow caller of Next costs no memory and delays no other: events wait in the
// history, not here.
type Stream interface {
	// Room waits until few enough answers wait to be taken by Next: to be called
	// before each of the calls below. So a client that asks and does not read is not
	// listened to until it reads. Its error is the cause of ctx's end.
	Room(ctx context.Context) error
	// Create adds a watcher; refusals come out of Next as etcd words them
	// (v3rpc/watch.go, recvLoop).
	Create(r *pb.WatchCreateRequest)
	// Refuse answers a creation that the caller does not want.
	Refuse(reason string)
	// Cancel ends a watcher; an unknown id is ignored.
	Cancel(id int64)
	// RequestProgress asks for one progress response for the whole stream. As
	// in etcd there is no answer on a stream without watchers, or with one
	// that starts in the future or was dropped (watchable_store.go,
	// progressIfSync).
	RequestProgress()
	// Next blocks for the next response, which belongs to the caller but for
	// its events, which are shared. Its header holds the revision only. It is
	// never split; fragmenting is the facade's. Errors: ErrClosed after Close,
	// that of Hub.Close, or ctx's.
	Next(ctx context.Context) (*pb.WatchResponse, error)
	// Fragmented says whether the watcher asked for large responses in parts.
	Fragmented(id int64) bool
	// Close ends the stream and its watchers.
	Close()
}

// stream implements Stream. Lock order: the hub's lock, mu, the lock
// of the hub's limiter.
type stream struct {
	hub      *Hub
	interval time.Duration // of periodic progress, with its jitter
	woken    chan struct{}
	// eased has room for one: an answer was taken.
	eased chan struct{}

	mu       sync.Mutex
	watchers map[int64]*watcher
	nextID   int64
	// replies are answers to Create and Cancel, to be sent before events.
	replies []*pb.WatchResponse
	// due holds watchers that have something to pull.
	due []due
	// parked is set while Next waits to be woken: then the hub takes its turn.
	parked bool
	// asked holds progress to be sent once it is true: by watch id, -1 for the
	// whole stream.
	asked  []progressRequest
	closed error
	ticker *time.Ticker // nil until a watcher wants periodic progress

	// unsent is how many events the last response had, since when their watcher was
	// due; 0 once another one is asked for.
	unsent      int64
	unsentSince time.Time

	turn turn // under the lock of hub.limiter
}

// progressRequest is a progress to be sent: it promises that all events at or below
// its revision were delivered. rev is the current revision when it was asked for. The
// promise may be of a newer one: it must not be of less than the events before it
// had.
type progressRequest struct {
	id  int64
	rev revision.Rev
}

// invalidWatchID is what failed creations and a stream's progress carry.
const invalidWatchID = -1

// etcd's words for watches that are refused; clients compare them.
const (
	reasonDuplicateID = "mvcc: duplicate watch ID provided on the WatchStream"
	reasonEmptyRange  = "mvcc: watcher range is empty"
	reasonCompacted   = "etcdserver: mvcc: required revision has been compacted"
)

// maxReplies is how many answers may wait for Next: etcd's ctrlStreamBufLen. Each
// takes some hundred bytes, on each of the streams that a client opens.
const maxReplies = 16

func (s *stream) Room(ctx context.Context) error {
	for {
		s.mu.Lock()
		room := s.closed != nil || len(s.replies)+len(s.asked) < maxReplies
		s.mu.Unlock()
		if room {
			return nil
		}
		select {
		case <-s.eased:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ease wakes the caller of Room.
func (s *stream) ease() {
	select {
	case s.eased <- struct{}{}:
	default:
	}
}

func (s *stream) Create(r *pb.WatchCreateRequest) {
	w := &watcher{stream: s, key: string(r.Key), end: string(r.RangeEnd), start: revision.Rev(r.StartRevision),
		prevKV: r.PrevKv, notify: r.ProgressNotify, large: r.Fragment, quiet: true}
	if w.key == "" {
		w.key = "\x00" // etcd: an empty key is the first possible one
	}
	for _, f := range r.Filters {
		w.noPut = w.noPut || f == pb.WatchCreateRequest_NOPUT
		w.noDel = w.noDel || f == pb.WatchCreateRequest_NODELETE
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return
	}
	defer s.wake()
	current := s.hub.view().Rev()
	id, reason := s.admit(r, w)
	reply := &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: int64(current)}, WatchId: id, Created: true}
	s.replies = append(s.replies, reply)
	if reason != "" {
		reply.Canceled, reply.CancelReason = true, reason
		return
	}
	w.id = id
	s.watchers[id] = w
	current = s.hub.add(w)
	reply.Header.Revision = int64(current)
	w.next = w.start
	if w.start == 0 {
		w.next = current + 1
	}
	if w.next <= current && w.dirty.CompareAndSwap(0, int64(w.next)) {
		s.due = append(s.due, due{w, time.Now()})
	}
	if w.notify && s.ticker == nil {
		s.ticker = time.NewTicker(s.interval)
	}
}

func (s *stream) Refuse(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = append(s.replies, &pb.WatchResponse{
		Header:  &pb.ResponseHeader{Revision: int64(s.hub.view().Rev())},
		WatchId: invalidWatchID, Created: true, Canceled: true, CancelReason: reason,
	})
	s.wake()
}

// admit chooses the watcher's id, or says why there is none.
func (s *stream) admit(r *pb.WatchCreateRequest, w *watcher) (id int64, reason string) {
	switch {
	case r.StartRevision < 0:
		return invalidWatchID, reasonCompacted
	case w.end != "" && w.end != noEnd && w.key >= w.end:
		return invalidWatchID, reasonEmptyRange
	case r.WatchId == 0:
		for s.watchers[s.nextID] != nil {
			s.nextID++
		}
		id = s.nextID
		s.nextID++
		return id, ""
	case s.watchers[r.WatchId] != nil:
		return invalidWatchID, reasonDuplicateID
	default:
		return r.WatchId, ""
	}
}

func (s *stream) Cancel(id int64) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watchers[id]
	if w == nil {
		return
	}
	delete(s.watchers, id)
	s.hub.remove(w)
	s.replies = append(s.replies, &pb.WatchResponse{
		Header: &pb.ResponseHeader{Revision: int64(s.hub.view().Rev())}, WatchId: id, Canceled: true})
	s.wake()
}

func (s *stream) RequestProgress() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.hub.view().Rev()
	if len(s.watchers) == 0 {
		return
	}
	for _, w := range s.watchers {
		if w.dropped || w.start > current {
			return
		}
	}
	s.ask(progressRequest{invalidWatchID, current})
}

// ask notes a progress to be sent, and has the hub tell when it has come so
// far. Both locks are held.
func (s *stream) ask(p progressRequest) {
	s.asked = append(s.asked, p)
	if s.hub.rev < p.rev {
		s.hub.streams[s] = struct{}{}
	}
	s.wake()
}

func (s *stream) Fragmented(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watchers[id]
	return w != nil && w.large
}

func (s *stream) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed == nil {
		s.closed = ErrClosed
	}
	for _, w := range s.watchers {
		s.hub.remove(w)
	}
	delete(s.hub.all, s)
	delete(s.hub.streams, s)
	if s.ticker != nil {
		s.ticker.Stop()
	}
	s.wake()
	s.ease()
}

// end makes Next return an error from now on.
func (s *stream) end(err error) {
	s.mu.Lock()
	s.closed = err
	s.mu.Unlock()
	s.wake()
	s.ease()
}

// enqueue notes that a watcher is due, since a moment. The hub calls it under its lock.
// A stream that waits is woken when it is its turn; any other comes to it by itself.
func (s *stream) enqueue(w *watcher, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = append(s.due, due{w, since})
	if s.parked && s.hub.limiter.take(s) {
		s.wake()
	}
}

func (s *stream) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}
