package wiregrpc

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func requireBroken(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, ErrBroken)
	require.Equal(t, codes.Unavailable, status.Code(err))
}

func TestDialOfNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, err = Dial(t.Context(), listener.Addr().String())
	requireBroken(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Dial(ctx, listener.Addr().String())
	requireBroken(t, err)
}

// hanging makes calls that hang, and returns when they do.
func hanging(t *testing.T, s *server, conn *Conn) (ends []chan error) {
	for range 5 {
		in := newInbox()
		stream, err := conn.Stream(t.Context(), hang, in)
		require.NoError(t, err)
		require.NoError(t, stream.Send(nil))
		<-s.hanging
		ends = append(ends, in.end)
	}
	unary := make(chan error, 1)
	go func() { unary <- conn.Invoke(t.Context(), hang, nil, &copied{}) }()
	<-s.hanging
	return append(ends, unary)
}

func TestAServerThatDiesFailsItsCalls(t *testing.T) {
	s := serve(t)
	conn := dial(t, s.endpoint)
	ends := hanging(t, s, conn)
	s.Stop()
	for _, end := range ends {
		requireBroken(t, <-end)
	}
	requireBroken(t, conn.Invoke(t.Context(), echo, nil, &copied{}))
	_, err := conn.Stream(t.Context(), echo, newInbox())
	requireBroken(t, err)
}

func TestCloseFailsAllCalls(t *testing.T) {
	s := serve(t)
	conn := dial(t, s.endpoint)
	ends := hanging(t, s, conn)
	conn.Close()
	for _, end := range ends {
		requireBroken(t, <-end)
	}
	requireBroken(t, conn.Invoke(t.Context(), echo, nil, &copied{}))
	conn.Close()
}

func TestAServerThatGoesAwayEndsWhatItHasBegun(t *testing.T) {
	s := serve(t)
	conn := dial(t, s.endpoint)
	in := newInbox()
	stream, err := conn.Stream(t.Context(), echo, in)
	require.NoError(t, err)
	require.NoError(t, stream.Send([]byte("before")))
	require.Equal(t, "before", <-in.messages)
	stopped := make(chan struct{})
	go func() {
		s.GracefulStop()
		close(stopped)
	}()
	for err == nil { // until it has said so
		err = conn.Invoke(t.Context(), echo, nil, &copied{})
	}
	requireBroken(t, err)
	require.NoError(t, stream.Send([]byte("after")))
	require.Equal(t, "after", <-in.messages)
	require.NoError(t, stream.CloseSend())
	require.NoError(t, <-in.end)
	<-stopped
}
