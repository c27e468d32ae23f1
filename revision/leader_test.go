package revision

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeServer answers srvr with a mode; with none, it never answers.
func fakeServer(t *testing.T, mode string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if mode == "" {
				t.Cleanup(func() { conn.Close() })
				continue
			}
			io.ReadFull(conn, make([]byte, len("srvr"))) //nolint:errcheck // whatever it asks
			fmt.Fprintf(conn, "Zookeeper version: 3.9.6\nMode: %s\n", mode)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestLeaderComesFirst(t *testing.T) {
	follower, silent, leader := fakeServer(t, "follower"), fakeServer(t, ""), fakeServer(t, "leader")
	z := ZooKeeper{Servers: []string{follower, silent, leader}, PreferLeader: true}
	began := time.Now()
	for range 3 {
		require.Equal(t, 2, z.leaderOrNext(t.Context()))
	}
	require.Less(t, time.Since(began), 2*askTimeout, "most have answered")
	z.next.Store(2)
	z.last.Store(&grant{2, time.Now()})
	require.Equal(t, 1, z.leaderOrNext(t.Context()), "it was lost just now")
	z.last.Store(&grant{2, time.Now().Add(-distrust)})
	require.Equal(t, 2, z.leaderOrNext(t.Context()))

	z.PreferLeader = false
	require.Equal(t, 1, z.leaderOrNext(t.Context()))
	for name, servers := range map[string][]string{
		"nobody leads":      {follower, silent},
		"nobody answers":    {silent, silent},
		"two say they lead": {leader, silent, leader, silent},
	} {
		require.Equal(t, -1, leaderOf(t.Context(), servers), name)
	}
	require.Equal(t, 0, leaderOf(t.Context(), []string{leader, silent, silent}), "the only one that answers")
}
