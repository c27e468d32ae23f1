package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// notifySocket is systemd's end: it hears what a service says of itself.
func notifySocket(t *testing.T) (path string, next func() string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "zkine") // short enough for a socket's name
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return path, func() string {
		t.Helper()
		buffer := make([]byte, 4096)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(limit)))
		n, err := conn.Read(buffer)
		require.NoError(t, err)
		return string(buffer[:n])
	}
}

// TestSystemdIsTold: READY comes when clients are served and not before, WATCHDOG as
// long as the state can be read, also while ZooKeeper is away, and STOPPING at the end.
func TestSystemdIsTold(t *testing.T) {
	server := zktest.Start(t)
	server.Kill()
	path, next := notifySocket(t)
	p := startZkine(t, []string{"--zookeeper=" + server.Addr()}, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=300000")
	until := func(what string, not ...string) {
		t.Helper()
		for text := ""; !strings.HasPrefix(text, what); {
			text = next()
			for _, other := range not {
				require.NotContains(t, text, other)
			}
		}
	}
	until("STATUS=", "READY=1")
	until("WATCHDOG=1", "READY=1")
	server.Restart()
	until("READY=1\nSTATUS=serving etcd clients")
	require.Equal(t, 200, p.get("/readyz"))
	server.Kill()
	require.Eventually(t, func() bool { return p.get("/readyz") == 503 }, limit, 20*time.Millisecond)
	for range 5 { // what it sends since then among them
		until("WATCHDOG=1")
	}
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	until("STOPPING=1")
	<-p.exited
}
