package fourletter

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestASilentServer takes connections and says nothing, as a process that is stopped: the
// error says that, and not that the connection was closed for it.
func TestASilentServer(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	_, err = Ask(t.Context(), silent.Addr().String(), "srvr")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.EqualError(t, err, "it gave no answer within 2s")

	ended := errors.New("the caller has ended it")
	ctx, end := context.WithCancelCause(t.Context())
	_, err = AskBy(ctx, func(ctx context.Context) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", silent.Addr().String())
		end(ended)
		return conn, err
	}, "srvr")
	require.ErrorIs(t, err, ended)
}
