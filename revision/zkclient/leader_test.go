package zkclient

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeServer answers srvr with a mode; with none, it never answers.
func fakeServer(t *testing.T, mode string) string { return fakeServerAt(t, mode, 1) }

// fakeServerAt is a fakeServer whose last transaction is of an epoch.
func fakeServerAt(t *testing.T, mode string, epoch int64) string {
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
			fmt.Fprintf(conn, "Zookeeper version: 3.9.6\nZxid: 0x%x\nMode: %s\n", epoch<<32+7, mode)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// at are the servers at such addresses, without TLS.
func at(addresses ...string) (servers []Server) {
	for _, address := range addresses {
		servers = append(servers, Server{target{address: address, label: address}, new(Ensemble)})
	}
	return servers
}

func TestWhoLeads(t *testing.T) {
	follower, silent, leader := fakeServer(t, "follower"), fakeServer(t, ""), fakeServer(t, "leader")
	began := time.Now()
	for range 3 {
		require.Equal(t, leader, leaderOf(t.Context(), at(follower, silent, leader)))
	}
	require.Less(t, time.Since(began), 3*askTimeout, "most have answered")
	for name, servers := range map[string][]string{
		"nobody leads":   {follower, silent},
		"nobody answers": {silent, silent},
	} {
		require.Empty(t, leaderOf(t.Context(), at(servers...)), name)
	}
	require.Equal(t, leader, leaderOf(t.Context(), at(leader, silent, silent)), "the only one that answers")
	deposed, elected := fakeServerAt(t, "leader", 2), fakeServerAt(t, "leader", 3)
	require.Equal(t, elected, leaderOf(t.Context(), at(deposed, silent, elected, silent)), "the later election counts")
}

func TestALeaderThatWasLostIsNotPreferred(t *testing.T) {
	var z Ensemble
	require.False(t, z.distrusted("zk1:2181"))
	z.granted = grant{"zk1:2181", time.Now()}
	require.True(t, z.distrusted("zk1:2181"))
	require.False(t, z.distrusted("zk2:2181"))
	z.granted.at = z.granted.at.Add(-distrust)
	require.False(t, z.distrusted("zk1:2181"))
}
