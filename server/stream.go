package server

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
)

// streams are the streams that the server may have to end with a reason: those
// that would never end by themselves, and those whose clients asked for a
// leader.
type streams struct {
	mu   sync.Mutex
	live map[*liveStream]struct{}
	// ended is the reason that endless streams get from now on, once draining.
	ended error
}

// liveStream is a stream whose context the server can end, with a gRPC error
// as the cause.
type liveStream struct {
	grpc.ServerStream
	ctx           context.Context
	cancel        context.CancelCauseFunc
	endless       bool
	requireLeader bool
}

func (l *liveStream) Context() context.Context { return l.ctx }

// track wraps a stream until release; cause is why the server ended it, nil if
// it did not.
func (s *streams) track(ss grpc.ServerStream, endless, requireLeader bool) (l *liveStream, release func() (cause error)) {
	ctx, cancel := context.WithCancelCause(ss.Context())
	l = &liveStream{ServerStream: ss, ctx: ctx, cancel: cancel, endless: endless, requireLeader: requireLeader}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		s.live = make(map[*liveStream]struct{})
	}
	s.live[l] = struct{}{}
	if endless && s.ended != nil {
		cancel(s.ended)
	}
	return l, func() error {
		s.mu.Lock()
		delete(s.live, l)
		s.mu.Unlock()
		defer cancel(nil)
		if ss.Context().Err() != nil || ctx.Err() == nil {
			return nil // the client's doing, or a normal end
		}
		return context.Cause(ctx)
	}
}

// endEndless ends the streams that have no end, and those still to come.
func (s *streams) endEndless(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = cause
	for l := range s.live {
		if l.endless {
			l.cancel(cause)
		}
	}
}

// endRequireLeader ends the streams whose clients asked for a leader.
func (s *streams) endRequireLeader(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.live {
		if l.requireLeader {
			l.cancel(cause)
		}
	}
}

// inbox is what a client sends on a stream, on a channel, so that its reader
// can wait for other things too.
type inbox[T any] struct {
	// requests is closed when the client has ended its side, or the stream
	// is broken.
	requests chan *T
	// err says why requests was closed, nil for a client that is done. It may
	// be read once requests is closed.
	err error
}

// receive starts a reader of the stream. It ends with the stream, shortly after
// the handler returned at the latest.
func receive[T any](ctx context.Context, recv func() (*T, error)) *inbox[T] {
	in := &inbox[T]{requests: make(chan *T)}
	go func() {
		defer close(in.requests)
		for {
			r, err := recv()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					in.err = err
				}
				return
			}
			select {
			case in.requests <- r:
			case <-ctx.Done():
				in.err = ctx.Err()
				return
			}
		}
	}()
	return in
}
