package backend_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// busyHousekeeping makes small segments, and a checkpoint at each of them.
func busyHousekeeping(c *zklog.Config) { c.MaxSlots, c.CheckpointFrom = 16, 1 }

// trimmedTo writes until the log's first segments are gone.
func trimmedTo(t *testing.T, e *memzk.Ensemble, b *backend.Backend, segment int64) {
	t.Helper()
	i := 0
	eventually(t, "the log is trimmed", func() bool {
		for range 20 {
			i++
			put(t, b, fmt.Sprint("key", i%10), fmt.Sprint(i))
		}
		v, err := zklog.Verify(within(t), zklog.Config{Dialer: e, Root: "/zkine"})
		require.NoError(t, err)
		require.Empty(t, v.Findings)
		return v.CheckpointSegment > segment
	})
}

func TestRestartFromACheckpoint(t *testing.T) {
	for _, compact := range []bool{false, true} {
		t.Run(fmt.Sprintf("compacted=%v", compact), func(t *testing.T) {
			e := memzk.New()
			first := openOn(t, e, "a", busyHousekeeping)
			_, err := first.LeaseGrant(within(t), &pb.LeaseGrantRequest{ID: 5, TTL: 1000})
			require.NoError(t, err)
			put(t, first, "leased", "v", 5)
			if compact {
				put(t, first, "old", "1")
				put(t, first, "old", "2")
				_, err = first.Compact(within(t), &pb.CompactionRequest{Revision: 4})
				require.NoError(t, err)
				require.NoError(t, first.CompactedPhysically(within(t), 4))
			}
			trimmedTo(t, e, first, 4)
			before, err := first.Range(within(t), all())
			require.NoError(t, err)
			digest, err := first.View().Digest()
			require.NoError(t, err)
			require.NoError(t, first.Close())

			second := openOn(t, e, "a", busyHousekeeping)
			after, err := second.Range(within(t), all())
			require.NoError(t, err)
			require.Equal(t, before.String(), after.String())
			again, err := second.View().Digest()
			require.NoError(t, err)
			require.Equal(t, digest, again)
			left, err := second.LeaseTimeToLive(within(t), &pb.LeaseTimeToLiveRequest{ID: 5, Keys: true})
			require.NoError(t, err)
			require.Equal(t, [][]byte{[]byte("leased")}, left.Keys)
			_, err = second.Range(within(t), &pb.RangeRequest{Key: []byte("old"), Revision: 3})
			if compact {
				require.ErrorIs(t, err, state.ErrCompacted)
			} else {
				require.NoError(t, err)
			}
			s := watchOn(t, second, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 4})
			events := collect(t, s, after.Header.Revision)
			require.EqualValues(t, 4, events[0].Kv.ModRevision, "history since the floor is there")
			put(t, second, "key1", "goes on")
		})
	}
}

// gate is a dialer that can be shut: then its connections end and none is made.
type gate struct {
	zkclient.Dialer
	mu    sync.Mutex
	shut  chan struct{} // nil while open; closed to open again
	conns []zkclient.Conn
}

func (g *gate) Dial(ctx context.Context) (zkclient.Conn, error) {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		select {
		case <-shut:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	conn, err := g.Dialer.Dial(ctx)
	if err == nil {
		g.mu.Lock()
		g.conns = append(g.conns, conn)
		g.mu.Unlock()
	}
	return conn, err
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
	for _, conn := range g.conns {
		conn.Close()
	}
	g.conns = nil
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut = nil
}

// TestLeftBehind cuts a zkine off until the log that it needs is gone: it goes
// on from a checkpoint, and its watchers miss nothing that was not compacted.
func TestLeftBehind(t *testing.T) {
	for _, compact := range []bool{false, true} {
		t.Run(fmt.Sprintf("compacted=%v", compact), func(t *testing.T) {
			e := memzk.New()
			g := &gate{Dialer: e}
			a := openOn(t, e, "a", busyHousekeeping)
			b := openOn(t, g, "b", busyHousekeeping)
			s := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte("key"), RangeEnd: []byte("kez")})
			idle := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte("other")})
			put(t, a, "key0", "seen")
			require.Len(t, next(t, s).Events, 1)
			g.close()
			eventually(t, "b is cut off", func() bool { return b.Ready() != nil })
			first := put(t, a, "key0", "unseen")
			trimmedTo(t, e, a, 6)
			end := put(t, a, "key1", "end")
			if compact {
				_, err := a.Compact(within(t), &pb.CompactionRequest{Revision: end})
				require.NoError(t, err)
				trimmedTo(t, e, a, a.View().Seq().Segment+2)
			}
			g.open()
			last := put(t, a, "other", "x")
			require.Equal(t, last, get(t, b, "other").Header.Revision)
			if compact {
				// What was compacted unseen may have concerned any of them.
				require.Positive(t, next(t, s).CompactRevision)
				require.Positive(t, next(t, idle).CompactRevision)
			} else {
				require.Len(t, next(t, idle).Events, 1)
				events := collect(t, s, end)
				for i, e := range events {
					require.Equal(t, first+int64(i), e.Kv.ModRevision)
				}
			}
			sameState(t, a, b)
		})
	}
}

// TestLeftBehindALoss cuts a zkine off, and has the ensemble lose the last that
// it has seen. When it is back, others have written on, and no slot is left by
// which it could find out: it must stop all the same.
func TestLeftBehindALoss(t *testing.T) {
	e := memzk.New()
	g := &gate{Dialer: e}
	b := openOn(t, g, "b", busyHousekeeping)
	put(t, b, "key", "kept")
	restore := e.Save()
	put(t, b, "key", "lost")
	g.close()
	eventually(t, "b is cut off", func() bool { return b.Ready() != nil })
	restore()
	e.EndAbandoned()
	a := openOn(t, e, "a", busyHousekeeping)
	trimmedTo(t, e, a, 6)
	g.open()
	eventually(t, "b stops", func() bool { return errors.Is(b.Ready(), revision.ErrLogLost) })
	require.ErrorContains(t, b.Ready(), "another past")
}
