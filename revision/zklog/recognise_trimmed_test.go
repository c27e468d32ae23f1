package zklog_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	require.NotErrorIs(t, err, revision.ErrLogLost)
	require.Less(t, dialer.fails.Load(), int64(1), "the test itself: a connection was lost at that place")
	require.NoError(t, slow.Reload(t.Context()))
}

// partRead runs a function before a part of a batch is read, once.
type partRead struct {
	*cutOff
	before atomic.Pointer[func()]
}

func (p *partRead) Dial(ctx context.Context) (zkclient.Conn, error) {
	return dialReading(ctx, p.cutOff, p.get)
}

func (p *partRead) get(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error) {
	if strings.HasPrefix(path, "/zkine/stage/") {
		if before := p.before.Swap(nil); before != nil {
			(*before)()
		}
	}
	return conn.Get(ctx, path)
}

// TestATrimmedPartIsNotCorrupt cuts a zkine off until the slot that it delivered
// last lies in a pack. Its next connection reads that just when a keeper trims the
// segment: the pack is read, and the part that it names is gone.
func TestATrimmedPartIsNotCorrupt(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	a.append(batchOf(put("a", "b")))
	a.append(batchOf(put("large", string(incompressible(300_000)))))
	fillTo(a, 2)
	dialer := &partRead{cutOff: &cutOff{Dialer: e}}
	slow, err := zklog.Open(t.Context(), zklog.Config{Dialer: dialer, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	defer func() { require.NoError(t, slow.Close()) }()
	_, err = slow.Next(t.Context())
	require.NoError(t, err)

	mend := dialer.cut()
	end := fillTo(a, 3)
	require.NoError(t, save(a.log, 1))
	require.NoError(t, save(a.log, 2))
	require.NoError(t, a.log.Pack(t.Context(), noPace))
	trim := func() { require.NoError(t, a.log.TrimAndPack(t.Context(), noPace)) }
	dialer.before.Store(&trim)
	mend()
	var slot revision.Slot
	for err == nil && slot.Seq != end {
		slot, err = slow.Next(t.Context())
	}
	if err == nil {
		return // it had read all that was trimmed, and needs none of it
	}
	require.ErrorIs(t, err, revision.ErrTrimmed)
	require.NoError(t, slow.Reload(t.Context()))
}

// TestAnUnreadableLastSlotIsCorrupt changes the slot that a zkine delivered last
// into bytes that are no slot, while it is away. One wrong bit on one server does
// not show that the log went back: this zkine stops, and the root is not halted.
func TestAnUnreadableLastSlotIsCorrupt(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	a.append(batchOf(put("a", "b")))
	dialer := &cutOff{Dialer: e}
	slow, err := zklog.Open(t.Context(), zklog.Config{Dialer: dialer, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	last, err := slow.Next(t.Context())
	require.NoError(t, err)

	mend := dialer.cut()
	conn, err := e.Dial(t.Context())
	require.NoError(t, err)
	segments, err := conn.Children(t.Context(), "/zkine/log")
	require.NoError(t, err)
	path := fmt.Sprintf("/zkine/log/%s/s-%010d", segments[0], last.Seq.Slot)
	data, _, err := conn.Get(t.Context(), path)
	require.NoError(t, err)
	data = slices.Clone(data)
	data[len(data)-1] ^= 1
	_, err = conn.Multi(t.Context(), zkclient.SetOp(path, data, zkclient.AnyVersion))
	require.NoError(t, err)
	mend()
	for err == nil {
		_, err = slow.Next(t.Context())
	}
	require.ErrorIs(t, err, revision.ErrCorrupt)
	require.NotErrorIs(t, err, revision.ErrLogLost)
	require.ErrorContains(t, err, path)
	require.NoError(t, slow.Close())
	_, _, err = conn.Get(t.Context(), "/zkine/trust")
	require.ErrorIs(t, err, zk.ErrNoNode, "the root is not halted")
}
