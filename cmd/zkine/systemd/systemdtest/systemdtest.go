// Package systemdtest is systemd's end of what a service tells it, for tests. It imports
// nothing of zkine's.
package systemdtest

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waits bounds how long a message may take to come; a loaded machine is slow, not wrong.
const waits = time.Minute

// Systemd hears what a service says of itself.
type Systemd struct {
	// Path is for NOTIFY_SOCKET.
	Path string
	conn *net.UnixConn
	told chan string
}

// Listen hears until the test ends. The test calls Take in a goroutine of its own.
func Listen(t *testing.T) *Systemd {
	t.Helper()
	dir, err := os.MkdirTemp("", "zkine") // short enough for a socket's name
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Systemd{Path: filepath.Join(dir, "notify"), told: make(chan string, 10_000)}
	s.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.Path, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { s.conn.Close() })
	return s
}

// Take takes what comes at once, as systemd does, until the test ends: the kernel keeps
// ten messages, and a service that sends one more waits.
func (s *Systemd) Take() {
	buffer := make([]byte, 4096)
	for {
		n, err := s.conn.Read(buffer)
		if err != nil {
			return // it is closed
		}
		s.told <- string(buffer[:n])
	}
}

// Next is the next message, which may have come already.
func (s *Systemd) Next(t *testing.T) string {
	t.Helper()
	select {
	case text := <-s.told:
		return text
	case <-time.After(waits):
		t.Fatal("systemd is told nothing")
		return ""
	}
}

// Forget has Next return what comes from now on, but for a message that is being taken.
func (s *Systemd) Forget() {
	for len(s.told) > 0 {
		<-s.told
	}
}
