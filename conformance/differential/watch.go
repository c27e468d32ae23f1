package differential

import (
	"context"
	"fmt"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// watch is a watcher on a stream of its own. A goroutine notes what it receives until the stream's end.
type watch struct {
	stream pb.Watch_WatchClient
	start  int64 // the first revision that it is to see

	mu       sync.Mutex
	id       int64
	over     bool            // canceled by either side
	seen     []proto.Message // responses without events, and single events
	split    string          // a revision whose events came in several responses that were no fragments
	last     int64           // the revision of the last event
	partial  bool            // the last response was a fragment
	progress int64           // the newest promise
	err      error           // why the stream ended
	changed  chan struct{}   // closed and replaced when something came
}

// createWatch opens a stream with one watcher and returns the answer to its creation.
func (s *store) createWatch(r *pb.WatchCreateRequest) (proto.Message, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		return nil, err
	}
	w := &watch{stream: stream, start: r.StartRevision, changed: make(chan struct{})}
	s.watches = append(s.watches, w)
	request := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	created, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	w.id, w.over = created.WatchId, created.Canceled
	if w.start == 0 {
		w.start = created.Header.Revision + 1
	}
	go w.receive()
	return created, nil
}

func (w *watch) receive() {
	for {
		response, err := w.stream.Recv()
		w.mu.Lock()
		if err == nil {
			w.note(response)
		}
		w.err = err
		close(w.changed)
		w.changed = make(chan struct{})
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// note keeps what must be equal. How revisions are put into responses while a watcher catches up, and the header's
// revision then, are each server's own.
func (w *watch) note(response *pb.WatchResponse) {
	if response.Canceled {
		w.over = true
	}
	if len(response.Events) == 0 {
		if response.WatchId == -1 && !response.Canceled {
			w.progress = response.Header.Revision
			return
		}
		normalize(nil, response)
		w.seen = append(w.seen, response)
		return
	}
	if first := response.Events[0].Kv.ModRevision; first == w.last && !w.partial {
		w.split = fmt.Sprint("revision ", first, " came in two responses")
	}
	for _, e := range response.Events {
		w.seen = append(w.seen, e)
		w.last = e.Kv.ModRevision
	}
	w.partial = response.Fragment
}

// cancel ends the watcher and waits for the answer, if there will be one. It had seen everything before.
func (w *watch) cancel(ctx context.Context) (proto.Message, error) {
	w.mu.Lock()
	canceled, count := w.over, len(w.seen)
	w.mu.Unlock()
	if canceled {
		return &pb.WatchResponse{}, nil
	}
	request := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: w.id}}}
	if err := w.stream.Send(request); err != nil {
		return nil, err
	}
	err := w.await(ctx, func() bool { return len(w.seen) > count })
	return &pb.WatchResponse{}, err
}

// sync waits until the watcher has seen everything up to a revision. It asks for progress again and again, since there
// is no answer while a watcher catches up.
func (w *watch) sync(ctx context.Context, revision int64) error {
	for {
		w.mu.Lock()
		done := w.over || w.start > revision || w.progress >= revision
		w.mu.Unlock()
		if done {
			return nil
		}
		request := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}
		if err := w.stream.Send(request); err != nil {
			return err
		}
		again, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		_ = w.await(again, func() bool { return w.over || w.progress >= revision }) // or ask again
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("a watcher from %d does not reach revision %d: %w", w.start, revision, ctx.Err())
		}
	}
}

func (w *watch) await(ctx context.Context, condition func() bool) error {
	for {
		w.mu.Lock()
		met, err, changed := condition(), w.err, w.changed
		w.mu.Unlock()
		switch {
		case met:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// compareWatches says where two watchers that saw the same until then differ, "" if nowhere.
func compareWatches(etcd, zkine *watch) string {
	etcd.mu.Lock()
	defer etcd.mu.Unlock()
	zkine.mu.Lock()
	defer zkine.mu.Unlock()
	if zkine.split != "" {
		return zkine.split
	}
	for i := range max(len(etcd.seen), len(zkine.seen)) {
		switch {
		case i >= len(etcd.seen):
			return fmt.Sprintf("only zkine sends (%d): %.2000s", i, fmt.Sprint(zkine.seen[i]))
		case i >= len(zkine.seen):
			return fmt.Sprintf("only etcd sends (%d): %.2000s", i, fmt.Sprint(etcd.seen[i]))
		case !proto.Equal(etcd.seen[i], zkine.seen[i]):
			return fmt.Sprintf("message %d\netcd:  %.2000s\nzkine: %.2000s", i, fmt.Sprint(etcd.seen[i]), fmt.Sprint(zkine.seen[i]))
		}
	}
	return ""
}
