package zklog_test

import (
	"context"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// These tests meet traps of ZooKeeper's Go client that the log answers, not its
// wrapper (package zkclient, traps_test.go).
//
// A new session that reads older state is met in memory alone. A real server
// takes part in the creation of each session, and has applied by then what was
// committed before: it shows older state only to sessions that are resumed, as
// the client's are and zkine's never. The log does not rely on that, and memzk,
// whose servers lag on request, shows it.

// TestLostWatchIsMadeUpFor: the client alone loses watches when it resumes. Here
// all that a server would say by itself is held back; the poll finds the slot.
func TestLostWatchIsMadeUpFor(t *testing.T) {
	for name, on := range map[string]func(*testing.T) (zkclient.Dialer, string){
		"memory":    func(*testing.T) (zkclient.Dialer, string) { return memzk.New(), "/zkine" },
		"ZooKeeper": func(t *testing.T) (zkclient.Dialer, string) { return lasting(zktest.Shared(t).Addr()), zktest.Root(t) },
	} {
		t.Run(name, func(t *testing.T) {
			d, root := on(t)
			a := openLog(t, zklog.Config{Dialer: d, Root: root})
			b := openLog(t, zklog.Config{Dialer: deaf{d}, Root: root})
			for i := range 3 {
				b.reach(a.append(batchOf(put(string(rune('a'+i)), "v"))).Seq)
			}
		})
	}
}

// deaf is a dialer whose watches never fire.
type deaf struct{ zkclient.Dialer }

func (d deaf) Dial(ctx context.Context) (zkclient.Conn, error) {
	conn, err := d.Dialer.Dial(ctx)
	return deafConn{conn}, err
}

type deafConn struct{ zkclient.Conn }

func (c deafConn) GetW(ctx context.Context, path string) (zkclient.Watched, error) {
	watched, err := c.Conn.GetW(ctx, path)
	watched.Event = make(chan zk.Event)
	return watched, err
}

// TestNewSessionThatReadsOlderState: the client alone forgets, with its session,
// how far it had read. A log whose sessions begin on servers that are behind
// still shows all that was acknowledged.
func TestNewSessionThatReadsOlderState(t *testing.T) {
	e := memzk.NewServers(2)
	a := openLog(t, zklog.Config{Dialer: server{e, 0}, MaxSlots: 3})
	b := openLog(t, zklog.Config{Dialer: server{e, 1}, MaxSlots: 3})
	var end revision.Seq
	for range 10 {
		e.Lag(1, true)
		end = a.append(batchOf(put("k", "v"))).Seq
		e.Cut()
		seq, err := b.log.Barrier(t.Context())
		require.NoError(t, err)
		require.False(t, seq.Before(end), "%v was acknowledged, the barrier is at %v", end, seq)
		b.reach(end)
		e.Lag(1, false)
	}
	require.Equal(t, places(a.reach(end)), places(b.reach(end)))
}

// server is a dialer to one server of an ensemble.
type server struct {
	e *memzk.Ensemble
	n int
}

func (s server) Dial(context.Context) (zkclient.Conn, error) { return s.e.DialServer(s.n), nil }
