package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// TestAutoTLSAndALogFile starts a zkine as people try it out: with a certificate of
// its own, JSON on a URL of its own, and the log in a file.
func TestAutoTLSAndALogFile(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "zkine.log")
	p := startZkine(t, []string{
		"--zookeeper=" + zktest.Shared(t).Addr(), "--data-dir=" + dir, "--auto-tls", "--metrics=extensive", "--log-outputs=stderr," + log,
		"--listen-client-urls=https://127.0.0.1:0", "--listen-client-http-urls=https://127.0.0.1:0",
	}, "ETCD_NAME=x")
	p.await("zkine is ready")
	p.await("ETCD_NAME: set, but zkine does not read etcd's variables; set ZKINE_NAME")
	address := p.await(`serving etcd clients.*address="?([^" \n]+)"? .*serves=http `)
	pem, err := os.ReadFile(filepath.Join(dir, "fixtures", "client", "cert.pem"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	resp, err := client.Post("https://"+address+"/v3/kv/put", "application/json", strings.NewReader(`{"key":"YQ==","value":"Yg=="}`))
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode, "%s", body)
	_, metrics := p.body("/metrics")
	require.Contains(t, metrics, `grpc_server_handling_seconds_count{grpc_method="Put"`)
	written, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Contains(t, string(written), "zkine is ready")
	require.Contains(t, string(written), "signs itself, and is valid until")
}
