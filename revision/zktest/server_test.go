package zktest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

// client connects to addr and returns when it has a session.
func client(t testing.TB, addr string) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{addr}, 4*time.Second, zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	awaitSession(t, events)
	return conn
}

func awaitSession(t testing.TB, events <-chan zk.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		select {
		case e := <-events:
			if e.State == zk.StateHasSession {
				return
			}
		case <-ctx.Done():
			t.Fatal("no session")
		}
	}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

func create(t testing.TB, conn *zk.Conn, path string) {
	t.Helper()
	_, err := conn.Create(path, []byte("x"), 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
}

func exists(t testing.TB, conn *zk.Conn, path string) bool {
	t.Helper()
	found, _, err := conn.Exists(path)
	require.NoError(t, err)
	return found
}

func TestKillAndRestartKeepData(t *testing.T) {
	s := Start(t)
	addr := s.Addr()
	create(t, client(t, addr), "/a")
	began := time.Now()
	s.Kill()
	require.False(t, s.Running())
	require.Empty(t, s.Mode())
	s.Restart()
	t.Logf("killed, restarted and serving in %v", time.Since(began))
	require.Equal(t, addr, s.Addr())
	require.Equal(t, "standalone", s.Mode())
	conn := client(t, addr)
	require.True(t, exists(t, conn, "/a"))
	conn.Close()
	s.Stop()
	s.Restart()
	require.True(t, exists(t, client(t, addr), "/a"))
}

func TestSharedServerGivesEachTestItsRoot(t *testing.T) {
	roots := map[string]bool{}
	for i := range 3 {
		t.Run(fmt.Sprintf("sub test/%d", i), func(t *testing.T) {
			root := Root(t)
			require.False(t, roots[root])
			roots[root] = true
			create(t, client(t, Shared(t).Addr()), root)
		})
	}
}

func TestPausedServerGoesOnAfterResume(t *testing.T) {
	s := Start(t)
	create(t, client(t, s.Addr()), "/a")
	s.Pause()
	require.True(t, frozen(s.Pid()))
	s.Resume()
	require.True(t, exists(t, client(t, s.Addr()), "/a"))
}
