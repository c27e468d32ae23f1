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

// fragile is a dialer whose connections can be made to end at their next read.
type fragile struct {
	zkclient.Dialer
	breaks atomic.Bool
}

func (f *fragile) Dial(ctx context.Context) (zkclient.Conn, error) {
	return dialReading(ctx, f.Dialer, f.get)
}

func (f *fragile) get(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error) {
	if f.breaks.CompareAndSwap(true, false) {
		conn.Close()
		return nil, nil, zk.ErrConnectionClosed
	}
	return conn.Get(ctx, path)
}

// TestReloadSurvivesALostConnection loses the connection while a reader that was
// left behind reloads.
func TestReloadSurvivesALostConnection(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	fillTo(a, 3)
	f := &fragile{Dialer: e}
	slow, err := zklog.Open(t.Context(), zklog.Config{Dialer: f, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	defer slow.Close() // the end of the test
	require.NoError(t, save(a.log, 2))
	f.breaks.Store(true)
	require.NoError(t, slow.Reload(t.Context()))
	require.False(t, f.breaks.Load(), "the connection was lost")
	next, err := slow.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, revision.Seq{Segment: 3}, next.Seq)
}

// TestReaderLeftBehindReloads keeps a reader from reading until the log that
// it needs is gone.
func TestReaderLeftBehindReloads(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	fillTo(a, 2)
	slow, err := zklog.Open(t.Context(), zklog.Config{Dialer: e, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	defer slow.Close() // the end of the test
	first, err := slow.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, revision.Seq{Segment: 1, Slot: 0}, first.Seq)
	for k := int64(3); k <= 7; k += 2 {
		fillTo(a, k)
		require.NoError(t, save(a.log, k-1))
		require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	}
	for err == nil {
		_, err = slow.Next(t.Context())
	}
	require.ErrorIs(t, err, revision.ErrTrimmed)
	require.NoError(t, slow.Reload(t.Context()))
	cp, found := slow.Checkpoint()
	require.True(t, found)
	require.EqualValues(t, 6, cp.Segment)
	next, err := slow.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, revision.Seq{Segment: 7, Slot: 0}, next.Seq)
}

// TestTheNewestCheckpointAlone keeps the newest checkpoint alone, and
// nothing of attempts that were never finished.
func TestTheNewestCheckpointAlone(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	require.ErrorIs(t, a.log.KeepNewest(t.Context(), 0), revision.ErrNotNeeded, "there is none yet")
	fillTo(a, 3)
	require.NoError(t, save(a.log, 2))
	fillTo(a, 6)
	require.NoError(t, save(a.log, 5))
	// A keeper dies in the middle of the next.
	broken := errors.New("broken")
	require.ErrorIs(t, a.log.SaveCheckpoint(t.Context(), 6, 60, []byte("meta"), func(yield func([]byte) bool) error {
		yield(incompressible(90_000))
		return broken
	}, noPace), broken)
	require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	require.Greater(t, len(children(t, e, "/zkine/log")), 3)
	before := e.Bytes("/zkine")

	require.NoError(t, a.log.KeepNewest(t.Context(), 5))
	require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	for _, name := range children(t, e, "/zkine/log") {
		require.NotRegexp(t, "^[1-4]-", name) // the newest with slots stays
	}
	require.Less(t, e.Bytes("/zkine"), before-90_000)
	end := fillTo(a, 8)
	checkLoaded(t, e, 5).reach(end)
	v := verify(t, e)
	require.Empty(t, v.Findings)
	require.EqualValues(t, 5, v.CheckpointSegment)
	require.NoError(t, save(a.log, 7))
	checkLoaded(t, e, 7).reach(end)
}
