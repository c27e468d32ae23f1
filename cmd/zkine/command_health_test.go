package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

func health(environ []string, args ...string) (code int, out string) {
	var text strings.Builder
	code = execute(append([]string{"health"}, args...), environ, &text, &text)
	return code, text.String()
}

// TestHealth asks as a container's health check does: with the variables of the
// server, over a Unix socket, TCP and TLS, in a start and when it serves.
func TestHealth(t *testing.T) {
	p := startZkine(t, []string{"--zookeeper=" + zktest.Shared(t).Addr()})
	p.await("zkine is ready")
	address := p.await(`serving metrics and health.*address="?([^" \n]+)"?`)
	code, out := health([]string{"ZKINE_LISTEN_METRICS_URLS=http://" + address, "ZKINE_NAME=x"})
	require.Equal(t, 0, code, out)
	require.Equal(t, "ok\n", out)
	_, port, _ := strings.Cut(address, ":")
	code, out = health(nil, "--listen-metrics-urls=http://0.0.0.0:"+port, "--live")
	require.Equal(t, 0, code, out)
	client := p.await(`serving etcd clients.*address="?([^" \n]+)"?`)
	code, out = health(nil, "--listen-metrics-urls=", "--listen-client-urls=http://"+client)
	require.Equal(t, 0, code, out)

	dir := t.TempDir()
	secure := startZkine(t, []string{
		"--zookeeper=127.0.0.1:1", "--data-dir=" + dir, "--auto-tls", "--listen-metrics-urls=unixs://" + dir + "/m", "--listen-client-urls=https://127.0.0.1:0",
	})
	secure.await("serving metrics and health")
	environ := []string{"ZKINE_LISTEN_METRICS_URLS=unixs://" + dir + "/m", "ZKINE_CERT_FILE=" + dir + "/fixtures/client/cert.pem", "ZKINE_KEY_FILE=" + dir + "/fixtures/client/key.pem"}
	code, out = health(environ)
	require.Equal(t, 1, code)
	require.Contains(t, out, "zkine is starting: the state is not loaded from ZooKeeper yet")

	code, out = health(nil, "--listen-metrics-urls=http://127.0.0.1:1")
	require.Equal(t, 1, code)
	require.Equal(t, "zkine: http://127.0.0.1:1: zkine does not answer: dial tcp 127.0.0.1:1: connect: connection refused\n", out)
}
