package server

import (
	"context"
	"errors"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

type watchServer struct {
	pb.UnsafeWatchServer
	backend Backend
	header  header
	metrics *metrics
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
	s.metrics.watchStreams.Inc()
	defer s.metrics.watchStreams.Dec()

	watch := s.backend.Watch()
	defer watch.Close()
	in := receive(ctx, stream.Recv)
	var dispatcher sync.WaitGroup
	dispatcher.Go(func() { s.dispatch(ctx, cancel, in, watch) })
	err := s.deliver(ctx, stream, watch)
	cancel(err)
	dispatcher.Wait()
	return watchError(ctx, err)
}

// dispatch passes requests on until the client has no more. A broken stream
// ends ctx; a client that is done does not.
func (s *watchServer) dispatch(ctx context.Context, cancel context.CancelCauseFunc, in *inbox[pb.WatchRequest], watch WatchStream) {
	for {
		if watch.Room(ctx) != nil {
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
			if err := s.dispatchRequest(ctx, r, watch); err != nil {
				cancel(err)
				return
			}
		}
	}
}

// dispatchRequest ignores what it does not know, as etcd does.
func (s *watchServer) dispatchRequest(ctx context.Context, r *pb.WatchRequest, watch WatchStream) error {
	switch u := r.RequestUnion.(type) {
	case *pb.WatchRequest_CreateRequest:
		if u.CreateRequest != nil {
			return s.create(ctx, u.CreateRequest, watch)
		}
	case *pb.WatchRequest_CancelRequest:
		if u.CancelRequest != nil {
			watch.Cancel(u.CancelRequest.WatchId)
		}
	case *pb.WatchRequest_ProgressRequest:
		if u.ProgressRequest != nil {
			watch.RequestProgress()
		}
	}
	return nil
}

// create adds a watcher if the client may have it. Whether it may is not asked
// for a start that is refused to everybody. An error is one of finding out, and
// ends the stream.
func (s *watchServer) create(ctx context.Context, r *pb.WatchCreateRequest, watch WatchStream) error {
	if r.StartRevision >= 0 {
		if err := s.backend.Authorize(ctx, r); err != nil {
			reason, refused := watchRefusal(err)
			if !refused {
				return err
			}
			watch.Refuse(reason)
			return nil
		}
	}
	watch.Create(r)
	return nil
}

// deliver sends the stream's responses until something ends it.
func (s *watchServer) deliver(ctx context.Context, stream pb.Watch_WatchServer, watch WatchStream) error {
	watchers := watcherCount{gauge: s.metrics.watchers}
	defer watchers.none()
	for {
		resp, err := watch.Next(ctx)
		if err != nil {
			return err
		}
		// A revision of 0 stays: it marks a watcher cancelled by compaction.
		resp.Header = s.header.fillIdentity(resp.Header)
		watchers.see(resp)
		if watch.Fragmented(resp.WatchId) {
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
	return toGRPC(ctx, err)
}

// sendFragments sends a response in parts of less than maxBytes each, or of one
// event if that is larger. All parts but the last are marked as fragments. The
// parts share the response's header and events, and are not changed after they
// were sent, since gRPC may still be encoding them.
func sendFragments(resp *pb.WatchResponse, maxBytes int, send func(*pb.WatchResponse) error) error {
	if len(resp.Events) < 2 || proto.Size(resp) < maxBytes {
		return send(resp)
	}
	part := func() *pb.WatchResponse {
		return &pb.WatchResponse{
			Header: resp.Header, WatchId: resp.WatchId,
			Created: resp.Created, Canceled: resp.Canceled,
			CompactRevision: resp.CompactRevision, CancelReason: resp.CancelReason,
			Fragment: true,
		}
	}
	empty := proto.Size(part())
	rest := resp.Events
	for len(rest) > 0 {
		n, size := 1, empty+eventSize(rest[0])
		for ; n < len(rest); n++ {
			if size += eventSize(rest[n]); size >= maxBytes {
				break
			}
		}
		p := part()
		p.Events, rest = rest[:n:n], rest[n:]
		p.Fragment = len(rest) > 0
		if err := send(p); err != nil {
			return err
		}
	}
	return nil
}

// eventSize is what an event adds to the size of a response.
func eventSize(e *mvccpb.Event) int {
	const eventsField = 11 // of pb.WatchResponse
	return protowire.SizeTag(eventsField) + protowire.SizeBytes(proto.Size(e))
}
