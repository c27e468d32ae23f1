package server

import (
	"context"
	"sync"

	"google.golang.org/grpc"
)

// liveCalls are the calls that the server may have to end with a reason: those
// that would never end by themselves, and those whose clients asked for a
// leader. Nearly all are streams.
type liveCalls struct {
	mu    sync.Mutex
	calls map[*liveCall]struct{}
	// ended is the reason that endless calls get from now on, once draining.
	ended error
}

// liveCall is a call whose context the server can end, with a gRPC error as
// the cause.
type liveCall struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	kind   callKind
}

// callKind says what may end a call, besides its client and itself.
type callKind uint8

const (
	// endless calls end when the server drains.
	endless callKind = 1 << iota
	// leaderBound calls end when there is no leader for too long.
	leaderBound
)

// liveStream is a stream with the context of a liveCall.
type liveStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (l liveStream) Context() context.Context { return l.ctx }

// track hands out the context for a call until release; cause is why the
// server ended it, nil if it did not.
func (c *liveCalls) track(ctx context.Context, kind callKind) (live context.Context, release func() (cause error)) {
	l := &liveCall{kind: kind}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = make(map[*liveCall]struct{})
	}
	c.calls[l] = struct{}{}
	if kind&endless != 0 && c.ended != nil {
		l.cancel(c.ended)
	}
	return l.ctx, func() error {
		c.mu.Lock()
		delete(c.calls, l)
		c.mu.Unlock()
		defer l.cancel(nil)
		if ctx.Err() != nil || l.ctx.Err() == nil {
			return nil // the client's doing, or a normal end
		}
		return context.Cause(l.ctx)
	}
}

// endEndless ends the calls that have no end, and those still to come.
func (c *liveCalls) endEndless(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = cause
	for l := range c.calls {
		if l.kind&endless != 0 {
			l.cancel(cause)
		}
	}
}

// endLeaderBound ends the calls whose clients asked for a leader, and says how many
// of them were not ended before.
func (c *liveCalls) endLeaderBound(cause error) (ended int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l := range c.calls {
		if l.kind&leaderBound == 0 || l.ctx.Err() != nil {
			continue
		}
		l.cancel(cause)
		ended++
	}
	return ended
}
