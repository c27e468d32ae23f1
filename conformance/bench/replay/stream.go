package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/conformance/bench/trace"
)

// stream is one of the recording's streams of watches.
type stream struct {
	player  *player
	calls   pb.Watch_WatchClient
	queue   chan trace.Request // what is to be sent, in order
	running sync.WaitGroup
	asked   int // watches; only the goroutine of play looks at it

	mu      sync.Mutex
	changed chan struct{} // closed, and another one made, when something below has changed
	watches []*watch      // in the order in which they were asked for
	created int           // how many of them are confirmed
}

// watch is one watch of a stream.
type watch struct {
	key, end  string
	start     int64 // the first revision that it brings
	id        int64
	brought   map[string]int64 // events by key
	cancelled bool
}

// streamQueue is how many requests of one stream may wait: more than a recording has in one.
const streamQueue = 1 << 16

var errQueue = errors.New("too many requests of one stream wait")

// stream is the one of a request, opened when it is the first.
func (p *player) stream(ctx context.Context, r trace.Request) (*stream, error) {
	if s := p.streams[r.Stream]; s != nil {
		return s, nil
	}
	// As kube-apiserver demands it.
	calls, err := pb.NewWatchClient(p.conns[r.Conn]).Watch(metadata.AppendToOutgoingContext(ctx, "hasleader", "true"))
	if err != nil {
		return nil, err
	}
	s := &stream{player: p, calls: calls, queue: make(chan trace.Request, streamQueue), changed: make(chan struct{})}
	p.streams[r.Stream] = s
	s.running.Go(func() { s.report(ctx, s.sendAll(ctx)) })
	s.running.Go(func() { s.report(ctx, s.receive()) })
	return s, nil
}

// report ends the replay for an error that is not the replay's own end.
func (s *stream) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		s.player.cancel(fmt.Errorf("a stream of watches: %w", err))
	}
}

func (s *stream) send(r trace.Request) {
	if r.Kind == trace.Watch {
		s.asked++
	}
	select {
	case s.queue <- r:
	default:
		s.player.cancel(errQueue)
	}
}

func (s *stream) sendAll(ctx context.Context) error {
	for {
		select {
		case r := <-s.queue:
			request, err := s.request(ctx, r)
			if err != nil {
				return err
			}
			if err := s.calls.Send(request); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *stream) request(ctx context.Context, r trace.Request) (*pb.WatchRequest, error) {
	switch r.Kind {
	case trace.Watch:
		since, err := s.player.referred(ctx, r.Since)
		if err != nil {
			return nil, err
		}
		create := &pb.WatchCreateRequest{Key: []byte(r.Key), RangeEnd: []byte(r.End), PrevKv: r.PrevKV, ProgressNotify: r.ProgressNotify}
		w := &watch{key: r.Key, end: r.End, brought: make(map[string]int64)}
		if r.Since != trace.None {
			w.start = since.revision + 1
			create.StartRevision = w.start
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watches = append(s.watches, w)
		return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}, nil
	case trace.Cancel:
		if err := s.await(ctx, func() bool { return s.created > r.Nth }); err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		w := s.watches[r.Nth]
		w.cancelled = true
		return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: w.id}}}, nil
	}
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}, nil
}

// await waits for something that the stream's receiver brings about.
func (s *stream) await(ctx context.Context, condition func() bool) error {
	for {
		s.mu.Lock()
		holds, changed := condition(), s.changed
		s.mu.Unlock()
		if holds {
			return nil
		}
		if err := s.player.await(ctx, changed); err != nil {
			return err
		}
	}
}

func (s *stream) receive() error {
	for {
		a, err := s.calls.Recv()
		if err != nil {
			return err
		}
		if err := s.take(a); err != nil {
			return err
		}
	}
}

var errWatch = errors.New("a watch that was not asked to ends")

// take takes a response.
func (s *stream) take(a *pb.WatchResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		close(s.changed)
		s.changed = make(chan struct{})
	}()
	if a.Created {
		if s.created == len(s.watches) {
			return errors.New("a watch is created that was not asked for")
		}
		w := s.watches[s.created]
		w.id = a.WatchId
		if w.start == 0 {
			w.start = a.Header.Revision + 1
		}
		s.created++
	}
	for _, w := range s.watches[:s.created] {
		if w.id != a.WatchId || len(a.Events) == 0 && !a.Canceled {
			continue
		}
		if a.Canceled && !w.cancelled {
			return fmt.Errorf("%w: %q from %d: %s (compacted: %d)", errWatch, w.key, w.start, a.CancelReason, a.CompactRevision)
		}
		for _, e := range a.Events {
			w.brought[string(e.Kv.Key)]++
		}
		s.player.events.Add(int64(len(a.Events)))
	}
	return nil
}
