package v3rpc

import (
	"context"
	"errors"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/zkine/zkine/backend/watch"
)

// Watch is the store of the Watch service.
type Watch interface {
	// Watch opens a watch stream; the caller closes it.
	Watch() WatchStream
	Access
}

// WatchStream is the watchers of one gRPC watch stream.
type WatchStream = watch.Stream

type watchServer struct {
	pb.UnsafeWatchServer
	backend Watch
	header  header
	// streams and watchers show how many there are.
	streams, watchers Gauge
	// readers counts the goroutines that read streams.
	readers *sync.WaitGroup
	// fragmentBytes is the size from which a watcher that asked for it gets a
	// response in parts.
	fragmentBytes int
}

// Watch connects a gRPC stream with a WatchStream: a dispatcher passes the
// client's requests on, and the handler itself sends the answers, all of which
// come out of WatchStream.Next in the order that clients may rely on. A client
// that has closed its side goes on receiving.
func (s *watchServer) Watch(stream pb.Watch_WatchServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	s.streams.Inc()
	defer s.streams.Dec()

	w := s.backend.Watch()
	defer w.Close()
	in := receive(ctx, s.readers, stream.Recv)
	var dispatcher sync.WaitGroup
	dispatcher.Go(func() { s.dispatch(ctx, cancel, in, w) })
	err := s.deliver(ctx, stream, w)
	cancel(err)
	dispatcher.Wait()
	return watchError(ctx, err)
}

// dispatch passes requests on until the client has no more. A broken stream
// ends ctx; a client that is done does not.
func (s *watchServer) dispatch(ctx context.Context, cancel context.CancelCauseFunc, in *inbox[pb.WatchRequest], w WatchStream) {
	for {
		if w.Room(ctx) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case r, ok := <-in.requests:
			if !ok {
				if in.err != nil {
					cancel(in.err)
				}
				return
			}
			if err := s.dispatchRequest(ctx, r, w); err != nil {
				cancel(err)
				return
			}
		}
	}
}

// dispatchRequest ignores what it does not know, as etcd does.
func (s *watchServer) dispatchRequest(ctx context.Context, r *pb.WatchRequest, w WatchStream) error {
	switch u := r.RequestUnion.(type) {
	case *pb.WatchRequest_CreateRequest:
		if u.CreateRequest != nil {
			return s.create(ctx, u.CreateRequest, w)
		}
	case *pb.WatchRequest_CancelRequest:
		if u.CancelRequest != nil {
			w.Cancel(u.CancelRequest.WatchId)
		}
	case *pb.WatchRequest_ProgressRequest:
		if u.ProgressRequest != nil {
			w.RequestProgress()
		}
	}
	return nil
}

// create adds a watcher if the client may have it. Whether it may is not asked
// for a start that every client is refused. An error is one of finding out, and ends
// the stream.
func (s *watchServer) create(ctx context.Context, r *pb.WatchCreateRequest, w WatchStream) error {
	if r.StartRevision >= 0 {
		if err := s.backend.Authorize(ctx, r); err != nil {
			reason, refused := watchRefusal(err)
			if !refused {
				return err
			}
			w.Refuse(reason)
			return nil
		}
	}
	w.Create(r)
	return nil
}

// deliver sends the stream's responses until something ends it.
func (s *watchServer) deliver(ctx context.Context, stream pb.Watch_WatchServer, w WatchStream) error {
	watchers := watcherCount{gauge: s.watchers}
	defer watchers.none()
	for {
		resp, err := w.Next(ctx)
		if err != nil {
			return err
		}
		// A revision of 0 stays: it marks a watcher cancelled by compaction.
		resp.Header = s.header.fillIdentity(resp.Header)
		watchers.see(resp)
		if w.Fragmented(resp.WatchId) {
			err = sendFragments(resp, s.fragmentBytes, stream.Send)
		} else {
			err = stream.Send(resp)
		}
		if err != nil {
			return err
		}
	}
}

// watchError is what the client is told. The cause of the context's end counts
// for more than what Next made of it.
func watchError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		return rpctypes.ErrGRPCWatchCanceled
	}
	return ToGRPC(ctx, err)
}

// watcherCount keeps one stream's part of a gauge, from the responses that
// announce watchers and their ends. A watcher may be cancelled twice.
type watcherCount struct {
	gauge Gauge
	live  map[int64]bool
}

func (w *watcherCount) see(r *pb.WatchResponse) {
	switch {
	case r.Canceled && w.live[r.WatchId]:
		delete(w.live, r.WatchId)
		w.gauge.Dec()
	case r.Created && !r.Canceled:
		if w.live == nil {
			w.live = make(map[int64]bool)
		}
		w.live[r.WatchId] = true
		w.gauge.Inc()
	}
}

func (w *watcherCount) none() { w.gauge.Sub(float64(len(w.live))) }
