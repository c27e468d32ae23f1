package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/cmd/zkine/systemd/systemdtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestSystemdIsTold: READY comes when clients are served and not before, WATCHDOG as
// long as the state can be read, also while ZooKeeper is away, and STOPPING at the end.
func TestSystemdIsTold(t *testing.T) {
	server := zktest.Start(t)
	server.Kill()
	systemd := systemdtest.Listen(t)
	go systemd.Take()
	p := startZkine(t, []string{"--zookeeper=" + server.Addr()}, "NOTIFY_SOCKET="+systemd.Path, "WATCHDOG_USEC=300000")
	until := func(what string, not ...string) {
		t.Helper()
		for text := ""; !strings.HasPrefix(text, what); {
			text = systemd.Next(t)
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
	systemd.Forget()
	for range 5 { // what it sends since then among them
		until("WATCHDOG=1")
	}
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	until("STOPPING=1")
	<-p.exited
}
