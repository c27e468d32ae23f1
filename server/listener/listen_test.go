package listener

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// socketPath is short enough for a socket's name, unlike t.TempDir may be.
func socketPath(t *testing.T) string {
	dir, err := os.MkdirTemp("", "zkine")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func TestListenRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	inUse := "http://" + taken.Addr().String()
	for _, c := range []struct{ url, text string }{
		{"https://localhost", `listen URL "https://localhost" in --listen-client-urls: must be https://host:port`},
		{"unixs://", `listen URL "unixs://" in --listen-client-urls: must be unix://path or unixs://path`},
		{"localhost:2379", `listen URL "localhost:2379" in --listen-client-urls: must begin with http://, https://, unix:// or unixs://`},
		{"http://localhost", `listen URL "http://localhost" in --listen-client-urls: must be http://host:port`},
		{"http://localhost:1/path", `listen URL "http://localhost:1/path" in --listen-client-urls: must not have a path`},
		{"unix://", `listen URL "unix://" in --listen-client-urls: must be unix://path or unixs://path`},
		{inUse, "listen address " + inUse + " is in use: listen tcp " + taken.Addr().String() + ": bind: address already in use; choose another with --listen-client-urls"},
	} {
		_, err := Listen([]string{c.url})
		require.EqualError(t, err, c.text)
	}
	_, err = ListenMetrics([]string{inUse})
	require.ErrorContains(t, err, "choose another with --listen-metrics-urls")
}

// If one of several URLs fails, none stays bound.
func TestListenAllOrNone(t *testing.T) {
	path := socketPath(t)
	_, err := Listen([]string{"unix://" + path, "https://x"})
	require.Error(t, err)
	_, err = os.Lstat(path)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestListenUnix(t *testing.T) {
	path := socketPath(t)
	first, err := Listen([]string{"unix://" + path})
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o600, info.Mode())

	_, err = Listen([]string{"unix://" + path})
	require.ErrorContains(t, err, "is in use")
	require.ErrorIs(t, err, syscall.EADDRINUSE)

	// A process that dies leaves the file behind.
	first[0].(*net.UnixListener).SetUnlinkOnClose(false)
	first[0].Close()
	_, err = os.Stat(path)
	require.NoError(t, err)
	second, err := Listen([]string{"unix://" + path})
	require.NoError(t, err)
	second[0].Close()
	_, err = os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestListenUnixKeepsFiles(t *testing.T) {
	path := socketPath(t)
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	_, err := Listen([]string{"unix://" + path})
	require.ErrorContains(t, err, "exists and is not a socket")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))
}

// Two sockets on one port need both to say so.
func TestReusePort(t *testing.T) {
	reuse := Reuse{Port: true, Address: true}
	first, err := reuse.Listen([]string{"http://127.0.0.1:0"})
	require.NoError(t, err)
	defer CloseAll(first)
	url := BoundURL(first[0])
	_, err = ListenMetrics([]string{url})
	require.ErrorContains(t, err, "choose another with --listen-metrics-urls, such as http://127.0.0.1:2391, or none with an empty value")
	second, err := reuse.ListenHTTP([]string{url})
	require.NoError(t, err)
	CloseAll(second)
}
