package watch

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
)

func (s *stream) Next(ctx context.Context) (*pb.WatchResponse, error) {
	defer s.leave()
	s.sentAll()
	for {
		response, wait, err := s.poll()
		if response != nil || err != nil {
			return response, err
		}
		if !wait {
			continue
		}
		select {
		case <-s.woken:
		case <-s.tick():
			s.notify()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// sentAll notes that the last response was sent.
func (s *stream) sentAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsent, s.unsentSince = 0, time.Time{}
}

// leave gives up the stream's turn, or its place in the queue for one.
func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked = false
	s.hub.limiter.pass(s)
}

// poll returns a response if one is due; wait says that there is nothing to do
// until the stream is woken.
func (s *stream) poll() (response *pb.WatchResponse, wait bool, err error) {
	s.mu.Lock()
	s.parked = false
	switch {
	case s.closed != nil:
		s.mu.Unlock()
		return nil, false, s.closed
	case len(s.replies) > 0:
		response, s.replies = s.replies[0], s.replies[1:]
		s.mu.Unlock()
		s.ease()
		return response, false, nil
	case len(s.due) > 0:
		if !s.hub.limiter.take(s) {
			s.parked = true
			s.mu.Unlock()
			return nil, true, nil
		}
		w, since := s.due[0].watcher, s.due[0].since
		s.due = s.due[1:]
		current := s.watchers[w.id] == w && !w.dropped
		s.mu.Unlock()
		if !current {
			return nil, false, nil
		}
		return s.deliver(w, since), false, nil
	}
	s.hub.limiter.pass(s) // it may have been for what was not due any more
	asked := len(s.asked) > 0
	s.parked = !asked
	s.mu.Unlock()
	if !asked {
		return nil, true, nil
	}
	response, wait = s.promise()
	return response, wait, nil
}

// deliver pulls what is due for a watcher, since a moment. The view is taken after the mark is
// cleared: a change that is not in it marks the watcher again.
func (s *stream) deliver(w *watcher, since time.Time) *pb.WatchResponse {
	from := w.due()
	v := s.hub.view()
	if floor := v.CompactRev(); from < floor {
		return s.drop(w, floor)
	}
	response := w.pull(v, from)
	if w.behind {
		s.enqueue(w, since)
	}
	if response != nil {
		s.sending(len(response.Events), since)
	}
	return response
}

// drop cancels a watcher whose next events were compacted away. Its id stays
// taken until the client cancels it, and the header's revision is 0: so etcd
// does it.
func (s *stream) drop(w *watcher, floor revision.Rev) *pb.WatchResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.dropped = true
	return &pb.WatchResponse{Header: &pb.ResponseHeader{}, WatchId: w.id, Canceled: true, CompactRevision: int64(floor)}
}

// promise sends a progress that has become true: nothing is due, and the hub
// has marked everything at or below its revision. A pull may have gone beyond
// that; the hub is waited for then.
func (s *stream) promise() (response *pb.WatchResponse, wait bool) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.replies) > 0 || len(s.due) > 0 {
		return nil, false
	}
	for i, p := range s.asked {
		if rev := max(p.rev, s.told(p.id)); rev > s.hub.rev {
			s.hub.streams[s] = struct{}{}
			continue
		}
		s.asked = append(s.asked[:i], s.asked[i+1:]...)
		s.ease()
		if p.id != invalidWatchID && s.watchers[p.id] == nil {
			return nil, false // cancelled since it asked
		}
		return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: int64(s.hub.rev)}, WatchId: p.id}, false
	}
	s.parked = true
	return nil, true
}

// told is the newest revision that a header of a watcher's events had, or of all
// watchers' for the stream. The lock is held.
func (s *stream) told(id int64) (rev revision.Rev) {
	for _, w := range s.watchers {
		if id == invalidWatchID || id == w.id {
			rev = max(rev, w.told)
		}
	}
	return rev
}

func (s *stream) tick() <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ticker == nil {
		return nil
	}
	return s.ticker.C
}

// notify asks for the periodic progress of watchers that wanted it and have
// been quiet since the last one.
func (s *stream) notify() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return
	}
	current := s.hub.view().Rev()
	for id, w := range s.watchers {
		if w.notify && w.quiet && !w.dropped && w.start <= current {
			s.ask(progressRequest{id, current})
		}
		w.quiet = true
	}
}
