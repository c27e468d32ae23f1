package main

import (
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mute is a server that takes connections and says nothing. connected is closed by the first.
func mute(t *testing.T) (addr string, connected chan struct{}) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	connected = make(chan struct{})
	go func() {
		for first := true; ; first = false {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			if first {
				close(connected)
			}
		}
	}()
	return l.Addr().String(), connected
}

// TestASignalBeforeTheEnd stops each kind of command while it waits for a server: its exit code is that of the signal,
// which no finding and no error has, and a line says so.
func TestASignalBeforeTheEnd(t *testing.T) {
	t.Parallel()
	binary, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	const root = "--zookeeper=ADDR --timeout=5m"
	for _, c := range []struct {
		command string
		signal  syscall.Signal
		code    int
	}{
		{"doctor " + root, syscall.SIGINT, 130},
		{"doctor " + root, syscall.SIGTERM, 143},
		{"inspect " + root, syscall.SIGINT, 130},
		{"log verify " + root, syscall.SIGTERM, 143},
		{"log print " + root, syscall.SIGINT, 130},
		{"log accept " + root, syscall.SIGHUP, 129},
		{"acl verify " + root, syscall.SIGINT, 130},
		{"backup backup.zip " + root, syscall.SIGINT, 130},
		{"history /a " + root, syscall.SIGINT, 130},
		{"export --snapshot=a.db " + root, syscall.SIGINT, 130},
		{"export --snapshot=a.db " + root, syscall.SIGTERM, 143},
		{"restore --archive=s3://bucket/a?endpoint=http://ADDR --to-snapshot=a.db", syscall.SIGINT, 130},
		{"archive verify --archive=s3://bucket/a?endpoint=http://ADDR", syscall.SIGINT, 130},
		{"archive verify --archive=s3://bucket/a?endpoint=http://ADDR", syscall.SIGTERM, 143},
		{"import --endpoints=http://ADDR --dial-timeout=5m --zookeeper=127.0.0.1:1", syscall.SIGINT, 130},
		{"undelete --endpoints=http://ADDR --dial-timeout=5m --prefix=/a --revision=5", syscall.SIGINT, 130},
		{"top --once --endpoints=http://ADDR --dial-timeout=5m", syscall.SIGINT, 130},
	} {
		if signal.Ignored(c.signal) {
			continue // nohup, which is inherited and which zkine heeds
		}
		addr, connected := mute(t)
		cmd := exec.CommandContext(t.Context(), binary, strings.Fields(strings.ReplaceAll(c.command, "ADDR", addr))...)
		cmd.Env = append(os.Environ(), asZkine+"=1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_REGION=x")
		cmd.Dir = t.TempDir()
		var said strings.Builder
		cmd.Stdout, cmd.Stderr = &said, &said
		require.NoError(t, cmd.Start())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait()
		}()
		select {
		case <-connected:
			require.NoError(t, cmd.Process.Signal(c.signal))
		case <-ended:
		case <-time.After(limit):
		}
		select {
		case <-ended:
		case <-time.After(limit):
			_ = cmd.Process.Kill()
			<-ended
		}
		require.Equal(t, c.code, cmd.ProcessState.ExitCode(), "%s: %s", c.command, said.String())
		require.Regexp(t, `(?m)^zkine: .*`+c.signal.String()+`.* — .+\n\z`, said.String(), c.command)
	}
}
