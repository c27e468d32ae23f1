package wiregrpc

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestStreamsInterleave(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	const messages = 100
	var all sync.WaitGroup
	for i := range 50 {
		replies := newInbox()
		stream, err := conn.Stream(t.Context(), echo, replies)
		require.NoError(t, err)
		all.Go(func() {
			for j := range messages {
				if err := stream.Send(fmt.Appendf(nil, "%d/%d", i, j)); err != nil {
					t.Error(err)
				}
			}
			if err := stream.CloseSend(); err != nil {
				t.Error(err)
			}
			if err := <-replies.end; err != nil {
				t.Error(err)
			}
			for j := range messages {
				if got := <-replies.messages; got != fmt.Sprintf("%d/%d", i, j) {
					t.Errorf("message %d of %d is %q", j, i, got)
				}
			}
		})
	}
	all.Wait()
	require.Empty(t, conn.streams)
}

func TestAStreamEndsWithItsContext(t *testing.T) {
	server := serve(t)
	conn := dial(t, server.endpoint)
	ctx, cancel := context.WithCancel(t.Context())
	in := newInbox()
	stream, err := conn.Stream(ctx, hang, in)
	require.NoError(t, err)
	require.NoError(t, stream.Send(nil))
	<-server.hanging
	cancel()
	require.Equal(t, codes.Canceled, status.Code(<-in.end))
	require.ErrorIs(t, <-server.given, context.Canceled)
	require.Equal(t, io.EOF, stream.Send(nil))
	require.Equal(t, io.EOF, stream.CloseSend())
	require.Empty(t, conn.streams)
}

func TestAStreamOfAContextThatHasEnded(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := newInbox()
	_, err := conn.Stream(ctx, echo, in)
	require.NoError(t, err)
	require.Equal(t, codes.Canceled, status.Code(<-in.end))
}

func TestAStreamThatTheServerEnds(t *testing.T) {
	server := serve(t)
	conn := dial(t, server.endpoint)
	in := newInbox()
	stream, err := conn.Stream(t.Context(), refuse, in)
	require.NoError(t, err)
	require.NoError(t, stream.Send(fmt.Append(nil, int(codes.DataLoss))))
	require.Equal(t, codes.DataLoss, status.Code(<-in.end))
	require.Equal(t, io.EOF, stream.Send(nil))
	require.NoError(t, conn.Invoke(t.Context(), echo, nil, &copied{}))
}

func TestMetadata(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	for _, want := range []string{"true", "false", "true"} {
		in := newInbox()
		stream, err := conn.Stream(t.Context(), meta, in, "hasleader", want)
		require.NoError(t, err)
		require.NoError(t, stream.Send(nil))
		require.NoError(t, <-in.end)
		require.Equal(t, "["+want+"]", <-in.messages)
		require.NoError(t, conn.Invoke(t.Context(), meta, nil, &copied{}))
	}
}

// answering is a handler that sends from within Scan, until it has seen so many messages.
type answering struct {
	stream chan *Stream // holds the stream
	left   int
	end    chan error
}

func (a *answering) Scan(m []byte) error {
	s := <-a.stream
	a.stream <- s
	if a.left--; a.left == 0 {
		return s.CloseSend()
	}
	return s.Send(m)
}

func (a *answering) End(err error) { a.end <- err }

func TestAHandlerMaySend(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	a := &answering{stream: make(chan *Stream, 1), left: 1000, end: make(chan error, 1)}
	stream, err := conn.Stream(t.Context(), echo, a)
	require.NoError(t, err)
	a.stream <- stream
	require.NoError(t, stream.Send([]byte("ping")))
	require.NoError(t, <-a.end)
	require.Zero(t, a.left)
}
