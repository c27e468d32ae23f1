package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// flushEvery is how long changes are gathered until they are sent.
	flushEvery = 200 * time.Millisecond
	// mostChanges is how many are sent at a time; others are counted only.
	mostChanges = 200
	// mostChangedBytes is how many bytes of keys are sent at a time, nearly.
	mostChangedBytes = 1 << 20
	// writeTime is how long the page may take nothing, and pingEvery how long it is told nothing.
	writeTime = 10 * time.Second
	pingEvery = 10 * time.Second
	// watchTime is how long a watch lasts: the page begins the next.
	watchTime = 30 * time.Minute
)

// change is one event, without its value.
type change struct {
	Key      string `json:"key"`
	Revision int64  `json:"revision"`
	// Deleted and Created say what has happened, if the key was not merely changed.
	Deleted bool  `json:"deleted,omitempty"`
	Created bool  `json:"created,omitempty"`
	Version int64 `json:"version,omitempty"`
	Lease   int64 `json:"lease,omitempty"`
	Bytes   int   `json:"bytes,omitempty"`
}

// changes are what was gathered: the first ones, and how many more there were.
type changes struct {
	Changes  []change `json:"changes"`
	Left     int      `json:"left,omitempty"`
	Revision int64    `json:"revision"`
}

// stream sends changes as server-sent events: ?key= or ?prefix=. The event "changes" has changes, "end" says why it ends.
func (c *Console) stream(door Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if door.Closed != "" {
			fail(w, refusal{http.StatusForbidden, door.Closed})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), watchTime)
		defer cancel()
		create, err := watchRequest(r)
		if err != nil {
			fail(w, err)
			return
		}
		by, err := c.identify(ctx, r)
		if err != nil {
			fail(w, err)
			return
		}
		feed, err := openFeed(by, create)
		if err != nil {
			fail(w, err)
			return
		}
		var reading sync.WaitGroup
		reading.Go(feed.read)
		defer reading.Wait()
		defer cancel()
		feed.send(ctx, w, c.cfg.Stopping)
	})
}

func watchRequest(r *http.Request) (*pb.WatchCreateRequest, error) {
	key, err := keyOf(r, "key")
	if err != nil || len(key) > 0 {
		return &pb.WatchCreateRequest{Key: key}, err
	}
	prefix, err := keyOf(r, "prefix")
	return &pb.WatchCreateRequest{Key: firstKey(prefix), RangeEnd: prefixEnd(prefix)}, err
}

// feed is one watch.
type feed struct {
	stream pb.Watch_WatchClient

	mu       sync.Mutex
	gathered changes
	size     int   // of the gathered keys, in bytes
	err      error // why there are no more
}

// openFeed returns once the store has taken the watch, or refused it.
func openFeed(by *caller, create *pb.WatchCreateRequest) (*feed, error) {
	stream, err := pb.NewWatchClient(by.Conn).Watch(by.ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}); err != nil {
		return nil, err
	}
	created, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if created.Canceled {
		return nil, status.Error(codes.PermissionDenied, created.CancelReason)
	}
	return &feed{stream: stream, gathered: changes{Revision: created.Header.Revision}}, nil
}

// read gathers changes until the watch ends.
func (f *feed) read() {
	for {
		resp, err := f.stream.Recv()
		if err == nil && resp.Canceled {
			err = status.Error(codes.Canceled, resp.CancelReason)
		}
		f.mu.Lock()
		if err != nil {
			f.err = err
			f.mu.Unlock()
			return
		}
		f.gathered.Revision = resp.Header.Revision
		for _, e := range resp.Events {
			if len(f.gathered.Changes) == mostChanges || f.size >= mostChangedBytes {
				f.gathered.Left++
				continue
			}
			key := keyText(e.Kv.Key)
			f.size += len(key)
			f.gathered.Changes = append(f.gathered.Changes, change{
				Key: key, Revision: e.Kv.ModRevision, Deleted: e.Type == mvccpb.Event_DELETE,
				Created: e.Type == mvccpb.Event_PUT && e.Kv.Version == 1, Version: e.Kv.Version, Lease: e.Kv.Lease, Bytes: len(e.Kv.Value),
			})
		}
		f.mu.Unlock()
	}
}

// take is what was gathered since it was taken last.
func (f *feed) take() (changes, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.gathered
	f.gathered.Changes, f.gathered.Left, f.size = nil, 0, 0
	return out, f.err
}

// send sends what is gathered until the watch or the page ends, or the server.
func (f *feed) send(ctx context.Context, w http.ResponseWriter, stopping <-chan struct{}) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(name string, data any) bool {
		text, err := json.Marshal(data)
		if err != nil {
			return false
		}
		if err := control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
			return false
		}
		_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, text)
		return err == nil && control.Flush() == nil
	}
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	said := time.Time{}
	for {
		out, err := f.take()
		switch {
		case len(out.Changes) > 0 || time.Since(said) > pingEvery:
			if out.Changes == nil {
				out.Changes = []change{}
			}
			if said = time.Now(); !event("changes", out) {
				return
			}
		case err != nil:
			event("end", map[string]string{"error": status.Convert(err).Message()})
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		case <-stopping:
			event("end", map[string]string{"error": "zkine is stopping"})
			return
		}
	}
}
