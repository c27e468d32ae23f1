package usage

import (
	"sync"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// Stream counts the messages of a stream as they pass. As those of any stream, one
// goroutine may call RecvMsg while another calls SendMsg.
type Stream struct {
	grpc.ServerStream
	recorder *Recorder
	// find says who calls. It is asked once the call was answered, when its user is known.
	find func() *Caller

	mu     sync.Mutex
	caller *Caller
	// asked is the request of a stream with one.
	asked any
	// created are the watchers that were asked for and not answered yet: answers come in
	// the order of requests. live are those that are open.
	created []watched
	live    map[int64]*watcher
	sent    Totals // of a list or a snapshot
}

// watched is a key, or a range of keys, that is to be watched.
type watched struct{ key, end []byte }

// Stream counts a call with a stream, which the caller ends with End.
func (r *Recorder) Stream(find func() *Caller) *Stream { return &Stream{recorder: r, find: find} }

// On is the call's stream on ss, for its handler.
func (s *Stream) On(ss grpc.ServerStream) grpc.ServerStream {
	s.ServerStream = ss
	return s
}

// by is the stream's caller. The lock is held.
func (s *Stream) by() *Caller {
	if s.caller == nil {
		s.caller = s.find()
	}
	return s.caller
}

// RecvMsg implements grpc.ServerStream.
func (s *Stream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	switch q := m.(type) {
	case *pb.WatchRequest:
		if c := q.GetCreateRequest(); c != nil {
			s.mu.Lock()
			s.created = append(s.created, watched{c.Key, c.RangeEnd})
			s.mu.Unlock()
		}
	case *pb.RangeRequest:
		s.mu.Lock()
		s.asked = q
		s.mu.Unlock()
	}
	return nil
}

// SendMsg implements grpc.ServerStream.
func (s *Stream) SendMsg(m any) error {
	switch a := m.(type) {
	case *pb.WatchResponse:
		s.watch(a)
	case *pb.LeaseKeepAliveResponse:
		s.mu.Lock()
		s.by().add(&Totals{Calls: 1, KeepAlives: 1})
		s.mu.Unlock()
	case *pb.RangeStreamResponse:
		s.mu.Lock()
		s.sent.BytesRead += bytesOf(a.GetRangeResponse().GetKvs()...)
		s.mu.Unlock()
	case *pb.SnapshotResponse:
		s.mu.Lock()
		s.sent.BytesRead += int64(len(a.Blob))
		s.mu.Unlock()
	}
	return s.ServerStream.SendMsg(m)
}

// End counts the call itself, and closes what watchers it has left.
func (s *Stream) End(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := Totals{Calls: 1}
	if q, ok := s.asked.(*pb.RangeRequest); ok {
		c := Totals{Reads: 1, BytesRead: s.sent.BytesRead}
		if err != nil {
			c.Reads, c.Errors = 0, 1
		}
		s.recorder.about(q.Key, q.RangeEnd, &c)
		n.add(&c)
	} else {
		n.add(&s.sent)
		if err != nil && (s.ServerStream == nil || s.Context().Err() == nil) {
			n.Errors = 1
		}
	}
	s.by().add(&n)
	for id := range s.live {
		s.close(id)
	}
}

// watch counts what a watch stream answers.
func (s *Stream) watch(a *pb.WatchResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Created && len(s.created) > 0 {
		of := s.created[0]
		s.created = s.created[1:]
		s.opened(a, of)
	}
	if len(a.Events) > 0 {
		if w := s.live[a.WatchId]; w != nil {
			w.count(a)
		}
	}
	if a.Canceled {
		s.close(a.WatchId)
	}
}

// opened counts a watcher that was asked for.
func (s *Stream) opened(a *pb.WatchResponse, of watched) {
	c := Totals{Calls: 1}
	if a.Canceled {
		c.Errors = 1
		s.recorder.about(of.key, of.end, &Totals{Errors: 1})
		s.by().add(&c)
		return
	}
	s.by().add(&c)
	if s.live == nil {
		s.live = make(map[int64]*watcher)
	}
	s.live[a.WatchId] = s.recorder.open(s.by(), of)
}

func (s *Stream) close(id int64) {
	if w := s.live[id]; w != nil {
		delete(s.live, id)
		w.close()
	}
}

// watcher is an open watcher. Its stream sends its events, and collect counts them for
// its prefix and its client.
type watcher struct {
	recorder *Recorder
	caller   *Caller
	prefix   *thing[*prefixLabel]

	events, bytes atomic.Int64
	// busy says that it is in the recorder's list.
	busy atomic.Bool
}

func (r *Recorder) open(c *Caller, of watched) *watcher {
	key := of.key
	if len(key) == 0 {
		key = []byte{0} // the smallest key, as in etcd
	}
	prefix := r.keys.of(key, of.end)
	if r.keys.learn(key) {
		prefix = r.keys.of(key, of.end)
	}
	w := &watcher{recorder: r, caller: c, prefix: r.prefixes.get(string(prefix))}
	r.prefixes.watch(w.prefix, 1)
	r.clients.watch(c.thing, 1)
	return w
}

// count counts the events of a response. It is called for one response at a time.
func (w *watcher) count(a *pb.WatchResponse) {
	var bytes int64
	for _, e := range a.Events {
		bytes += bytesOf(e.Kv) + bytesOf(e.PrevKv)
	}
	w.events.Add(int64(len(a.Events)))
	w.bytes.Add(bytes)
	if !w.busy.Load() && !w.busy.Swap(true) {
		w.recorder.mu.Lock()
		w.recorder.busy = append(w.recorder.busy, w)
		w.recorder.mu.Unlock()
	}
}

// settle counts for prefix and client what was sent since the last time.
func (w *watcher) settle() {
	w.busy.Store(false)
	c := Totals{Events: w.events.Swap(0), BytesWatched: w.bytes.Swap(0)}
	if c == (Totals{}) {
		return
	}
	w.recorder.prefixes.addTo(w.prefix, &c)
	w.caller.add(&c)
}

func (w *watcher) close() {
	w.settle()
	w.recorder.prefixes.watch(w.prefix, -1)
	w.recorder.clients.watch(w.caller.thing, -1)
}

// collect settles the watchers that had events.
func (r *Recorder) collect() {
	r.mu.Lock()
	busy := r.busy
	r.busy = nil
	r.mu.Unlock()
	for _, w := range busy {
		w.settle()
	}
}
