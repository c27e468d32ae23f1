package zklog_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// cutOff is a dialer that waits while its gate is shut, and whose latest
// connection can be cut. Reads of the record of checkpoints fail while fails is
// above zero, and count it down.
type cutOff struct {
	zkclient.Dialer
	gate   atomic.Pointer[chan struct{}]
	latest atomic.Pointer[zkclient.Conn]
	fails  atomic.Int64
}

func (c *cutOff) cut() (mend func()) {
	gate := make(chan struct{})
	c.gate.Store(&gate)
	(*c.latest.Load()).Close()
	return func() { close(gate) }
}

func (c *cutOff) Dial(ctx context.Context) (zkclient.Conn, error) {
	if gate := c.gate.Load(); gate != nil {
		select {
		case <-*gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	conn, err := c.Dialer.Dial(ctx)
	if err == nil {
		c.latest.Store(&conn)
	}
	return cutOffConn{conn, c}, err
}

type cutOffConn struct {
	zkclient.Conn
	c *cutOff
}

func (c cutOffConn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	if path == "/zkine/checkpoint" && c.c.fails.Add(-1) >= 0 {
		c.Close()
		return nil, nil, zk.ErrConnectionClosed
	}
	return c.Conn.Get(ctx, path)
}

// TestATrimmedSegmentIsNotLost cuts a zkine off until the segment that it knew as
// the open one is gone, because a checkpoint covers it. Its next connection ends
// before that checkpoint could be read. That is no proof that the log went back.
func TestATrimmedSegmentIsNotLost(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	fillTo(a, 2)
	dialer := &cutOff{Dialer: e}
	slow, err := zklog.Open(t.Context(), zklog.Config{Dialer: dialer, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	defer func() { require.NoError(t, slow.Close()) }()
	_, err = slow.Next(t.Context())
	require.NoError(t, err)

	mend := dialer.cut()
	for k := int64(3); k <= 7; k += 2 {
		fillTo(a, k)
		require.NoError(t, save(a.log, k-1))
		require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	}
	dialer.fails.Store(1)
	mend()
	for err == nil {
		_, err = slow.Next(t.Context())
	}
	require.ErrorIs(t, err, revision.ErrTrimmed)
	require.False(t, errors.Is(err, revision.ErrLogLost))
	require.Less(t, dialer.fails.Load(), int64(1), "the test itself: a connection was lost at that place")
	require.NoError(t, slow.Reload(t.Context()))
}
