package differential

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// stream is a watch stream with any number of watchers. A goroutine notes what it receives until the stream's end.
type stream struct {
	grpc pb.Watch_WatchClient

	mu       sync.Mutex
	creating *watch           // whose creation is not answered yet
	created  proto.Message    // the answer
	watches  map[int64]*watch // by id; those that a compaction ended too, until they are cancelled
	progress int64            // the newest promise, since the last watcher was created
	asks     int              // requests for progress; some are not answered
	promises int              // the answers
	err      error            // why the stream ended
	changed  chan struct{}    // closed and replaced when something came
}

// watch is a watcher. All but request is under its stream's lock.
type watch struct {
	stream  *stream
	request *pb.WatchCreateRequest
	start   int64 // the first revision that it is to see
	id      int64

	over    bool            // canceled, by either side
	doomed  bool            // it begins below the last compaction, and so will be canceled
	events  int             // how many came
	seen    []proto.Message // what came and was not compared yet: responses without events, and single events
	split   string          // a revision whose events came in several responses that were no fragments
	last    int64           // the revision of the last event
	partial bool            // the last response was a fragment
}

func (s *store) openStream(number int) (*stream, error) {
	if st := s.streams[number]; st != nil {
		return st, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	grpc, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		return nil, err
	}
	st := &stream{grpc: grpc, watches: map[int64]*watch{}, changed: make(chan struct{})}
	s.streams[number] = st
	go st.receive()
	return st, nil
}

// createWatch returns the answer to a watcher's creation.
func (s *store) createWatch(ctx context.Context, number int, r *pb.WatchCreateRequest) (proto.Message, error) {
	st, err := s.openStream(number)
	if err != nil {
		return nil, err
	}
	w := &watch{stream: st, request: r, start: r.StartRevision}
	s.watches = append(s.watches, w)
	st.mu.Lock()
	st.creating, st.created, st.progress = w, nil, 0
	st.mu.Unlock()
	request := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}
	if err := st.grpc.Send(request); err != nil {
		return nil, err
	}
	err = st.await(ctx, func() bool { return st.created != nil })
	return st.created, err
}

// cancelWatch ends a watcher and waits for the answer, if there will be one. It had seen everything before.
func (s *store) cancelWatch(ctx context.Context, number int, r *pb.WatchCancelRequest) (proto.Message, error) {
	st := s.streams[number]
	if st == nil {
		return &pb.WatchResponse{}, nil
	}
	request := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: r}}
	if err := st.grpc.Send(request); err != nil {
		return nil, err
	}
	return &pb.WatchResponse{}, st.await(ctx, func() bool { return st.watches[r.WatchId] == nil })
}

func (st *stream) receive() {
	for {
		response, err := st.grpc.Recv()
		st.mu.Lock()
		if err == nil {
			st.note(response)
		}
		st.err = err
		close(st.changed)
		st.changed = make(chan struct{})
		st.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (st *stream) note(response *pb.WatchResponse) {
	w := st.watches[response.WatchId]
	switch {
	case response.Created:
		w = st.creating
		if w.id, w.over = response.WatchId, response.Canceled; !w.over {
			st.watches[w.id] = w
		}
		if w.start == 0 {
			w.start = response.Header.Revision + 1
		}
		st.created = response
	case response.WatchId == -1 && !response.Canceled && len(response.Events) == 0:
		st.progress = response.Header.Revision
		st.promises++
	case w == nil: // an answer without a question
		st.err = fmt.Errorf("nobody has the id of %v", response)
	default:
		w.note(response)
		if response.Canceled && response.CompactRevision == 0 {
			delete(st.watches, w.id)
		}
	}
}

// note keeps what must be equal. How revisions are put into responses while a watcher catches up, and the header's
// revision then, are each server's own; and the time at which an idle watcher is told the revision.
func (w *watch) note(response *pb.WatchResponse) {
	if response.Canceled {
		w.over = true
	}
	if len(response.Events) == 0 {
		if response.Canceled {
			normalize(nil, response)
			w.seen = append(w.seen, response)
		}
		return
	}
	if first := response.Events[0].Kv.ModRevision; first == w.last && !w.partial {
		w.split = fmt.Sprint("revision ", first, " came in two responses")
	}
	for _, e := range response.Events {
		w.seen = append(w.seen, e)
		w.events++
		w.last = e.Kv.ModRevision
	}
	w.partial = response.Fragment
}

// await waits for something that comes with a response. The condition is looked at under the stream's lock.
func (st *stream) await(ctx context.Context, condition func() bool) error {
	for {
		st.mu.Lock()
		met, err, changed := condition(), st.err, st.changed
		st.mu.Unlock()
		switch {
		case met:
			return nil
		case err != nil:
			return fmt.Errorf("a watch stream ended: %v", status.Convert(err).Message())
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wants says whether a watcher is to be sent an event.
func (w *watch) wants(e event) bool {
	if e.revision < w.start {
		return false
	}
	for _, f := range w.request.Filters {
		if f == pb.WatchCreateRequest_NOPUT && !e.delete || f == pb.WatchCreateRequest_NODELETE && e.delete {
			return false
		}
	}
	key, end := w.request.Key, w.request.RangeEnd
	if len(key) == 0 {
		key = []byte{0}
	}
	switch {
	case len(end) == 0:
		return bytes.Equal(e.key, key)
	case bytes.Equal(end, []byte{0}):
		return bytes.Compare(e.key, key) >= 0
	default:
		return bytes.Compare(e.key, key) >= 0 && bytes.Compare(e.key, end) < 0
	}
}

// compareWatches says where two watchers that saw the same until then differ, "" if nowhere. What is equal is forgotten.
func compareWatches(etcd, zkine *watch) string {
	etcd.stream.mu.Lock()
	defer etcd.stream.mu.Unlock()
	zkine.stream.mu.Lock()
	defer zkine.stream.mu.Unlock()
	if zkine.split != "" {
		return zkine.split
	}
	for i := range max(len(etcd.seen), len(zkine.seen)) {
		switch {
		case i >= len(etcd.seen):
			return fmt.Sprintf("only zkine sends: %.2000s", fmt.Sprint(zkine.seen[i]))
		case i >= len(zkine.seen):
			return fmt.Sprintf("only etcd sends: %.2000s", fmt.Sprint(etcd.seen[i]))
		case !proto.Equal(etcd.seen[i], zkine.seen[i]):
			return fmt.Sprintf("etcd sends:  %.2000s\nzkine sends: %.2000s", fmt.Sprint(etcd.seen[i]), fmt.Sprint(zkine.seen[i]))
		}
	}
	etcd.seen, zkine.seen = nil, nil
	return ""
}
