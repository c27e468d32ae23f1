package server

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
)

// streams are the calls that the server may have to end with a reason: those
// that would never end by themselves, and those whose clients asked for a
// leader. Nearly all are streams.
type streams struct {
	mu   sync.Mutex
	live map[*liveCall]struct{}
	// ended is the reason that endless calls get from now on, once draining.
	ended error
}

// liveCall is a call whose context the server can end, with a gRPC error as
// the cause.
type liveCall struct {
	ctx           context.Context
	cancel        context.CancelCauseFunc
	endless       bool
	requireLeader bool
}

// liveStream is a stream with the context of a liveCall.
type liveStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (l liveStream) Context() context.Context { return l.ctx }

// track hands out the context for a call until release; cause is why the
// server ended it, nil if it did not.
func (s *streams) track(ctx context.Context, endless, requireLeader bool) (live context.Context, release func() (cause error)) {
	l := &liveCall{endless: endless, requireLeader: requireLeader}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		s.live = make(map[*liveCall]struct{})
	}
	s.live[l] = struct{}{}
	if endless && s.ended != nil {
		l.cancel(s.ended)
	}
	return l.ctx, func() error {
		s.mu.Lock()
		delete(s.live, l)
		s.mu.Unlock()
		defer l.cancel(nil)
		if ctx.Err() != nil || l.ctx.Err() == nil {
			return nil // the client's doing, or a normal end
		}
		return context.Cause(l.ctx)
	}
}

// endEndless ends the calls that have no end, and those still to come.
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
