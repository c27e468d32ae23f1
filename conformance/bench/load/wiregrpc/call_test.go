package wiregrpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// bytesOf makes n bytes of which no two parts are alike.
func bytesOf(n int) []byte {
	random := rand.NewChaCha8([32]byte{byte(n)})
	b := make([]byte, n)
	_, _ = random.Read(b)
	return b
}

func TestMessagesOfAllSizesComeBack(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	var reply copied
	for _, size := range []int{0, 1, 1 << 10, 16<<10 - 6, 16<<10 - 5, 16<<10 - 1, 16 << 10, 16<<10 + 1, 65535, 1 << 20, 10 << 20, 3, 0} {
		sent := bytesOf(size)
		require.NoError(t, conn.Invoke(t.Context(), echo, sent, &reply), size)
		require.True(t, bytes.Equal(sent, reply.body), size)
	}
}

func TestRefusalsHaveTheirStatus(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		err := conn.Invoke(t.Context(), refuse, fmt.Append(nil, int(code)), &copied{})
		require.Equal(t, code, status.Code(err))
		require.Equal(t, refusal, status.Convert(err).Message())
		require.NotErrorIs(t, err, ErrBroken)
	}
	err := conn.Invoke(t.Context(), late, []byte("x"), &copied{})
	require.Equal(t, codes.Aborted, status.Code(err))
	require.Equal(t, refusal, status.Convert(err).Message())
	require.Equal(t, codes.Unimplemented, status.Code(conn.Invoke(t.Context(), "/no.Such/Method", nil, &copied{})))
}

func TestAUnaryCallHasOneReply(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	for _, n := range []string{"0", "2", "100"} {
		require.Equal(t, codes.Internal, status.Code(conn.Invoke(t.Context(), count, []byte(n), &copied{})), n)
	}
	require.Equal(t, codes.Internal, status.Code(conn.Invoke(t.Context(), nothing, nil, &copied{})))
	require.NoError(t, conn.Invoke(t.Context(), count, []byte("1"), &copied{}))
	for _, n := range []int{0, 1, 10_000} {
		replies, err := conn.Collect(t.Context(), count, fmt.Append(nil, n), &copied{})
		require.NoError(t, err)
		require.Equal(t, n, replies)
	}
}

// failing is a Scanner with an error.
type failing struct{ err error }

func (f failing) Scan([]byte) error { return f.err }

func TestAScannersErrorIsTheCalls(t *testing.T) {
	server := serve(t)
	conn := dial(t, server.endpoint)
	wrong := errors.New("wrong")
	require.ErrorIs(t, conn.Invoke(t.Context(), echo, []byte("x"), failing{wrong}), wrong)
	_, err := conn.Collect(t.Context(), count, []byte("100000"), failing{wrong})
	require.ErrorIs(t, err, wrong)
	require.NoError(t, conn.Invoke(t.Context(), echo, []byte("x"), &copied{}))
}

func TestACallEndsWithItsContext(t *testing.T) {
	server := serve(t)
	conn := dial(t, server.endpoint)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-server.hanging
		cancel()
	}()
	require.Equal(t, codes.Canceled, status.Code(conn.Invoke(ctx, hang, nil, &copied{})))
	require.ErrorIs(t, <-server.given, context.Canceled)

	ctx, cancel = context.WithTimeout(t.Context(), time.Second/20)
	defer cancel()
	require.Equal(t, codes.DeadlineExceeded, status.Code(conn.Invoke(ctx, hang, nil, &copied{})))
	require.ErrorIs(t, <-server.given, context.Canceled)
	require.NoError(t, conn.Invoke(t.Context(), echo, []byte("x"), &copied{}))
}

// The server does not read what does not fit into its window.
func TestACallEndsWithItsContextWhileItSends(t *testing.T) {
	server := serve(t)
	conn := dial(t, server.endpoint)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/20)
	defer cancel()
	in := newInbox()
	stream, err := conn.Stream(ctx, hang, in)
	require.NoError(t, err)
	require.NoError(t, stream.Send(nil))
	require.Equal(t, io.EOF, stream.Send(make([]byte, 64<<20)))
	require.Equal(t, codes.DeadlineExceeded, status.Code(<-in.end))
	require.NoError(t, conn.Invoke(t.Context(), echo, []byte("x"), &copied{}))
}

func TestAnEarlyAnswerEndsTheRequest(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	for range 20 {
		replies, err := conn.Collect(t.Context(), deaf, make([]byte, 1<<20), &copied{})
		require.NoError(t, err)
		require.Zero(t, replies)
	}
	require.NoError(t, conn.Invoke(t.Context(), echo, []byte("x"), &copied{}))
}

func TestManyCallsOnOneConnection(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			var reply copied
			for j := range 20 {
				sent := bytesOf(i * j * 40)
				if err := conn.Invoke(t.Context(), echo, sent, &reply); err != nil || !bytes.Equal(sent, reply.body) {
					t.Errorf("call %d of %d: %d bytes in place of %d, %v", j, i, len(reply.body), len(sent), err)
					return
				}
			}
		})
	}
	all.Wait()
	require.Empty(t, conn.streams)
}

func TestCallsThatAreGivenUpHurtNoOthers(t *testing.T) {
	conn := dial(t, serve(t).endpoint)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			sent := bytesOf(50_000 + i)
			for j := range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				if j%2 == 0 {
					go cancel()
				}
				var reply copied
				err := conn.Invoke(ctx, echo, sent, &reply)
				cancel()
				if err == nil && !bytes.Equal(sent, reply.body) || err != nil && (j%2 != 0 || status.Code(err) != codes.Canceled) {
					t.Errorf("call %d of %d: %d bytes in place of %d, %v", j, i, len(reply.body), len(sent), err)
				}
			}
		})
	}
	all.Wait()
	require.Empty(t, conn.streams)
}
