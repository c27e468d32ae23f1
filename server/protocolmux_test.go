package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/server/listener"
)

// socketName is short enough for a socket's name, unlike t.TempDir may be.
func socketName(t *testing.T) string {
	dir, err := os.MkdirTemp("", "zkine")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// gRPC and HTTP share sockets of every kind.
func TestPortsOfEveryKind(t *testing.T) {
	a := newAuthority(t)
	files := newTLSFiles(t, a.sign("server"))
	plain, secure := socketName(t), socketName(t)
	r := start(t, func(c *Config) {
		listener.CloseAll(c.Listeners)
		var err error
		c.Listeners, err = listener.Listen([]string{"http://127.0.0.1:0", "unix://" + plain, "https://127.0.0.1:0", "unixs://" + secure})
		require.NoError(t, err)
		c.TLS = files.TLS
	})
	r.accepting(t)
	for i, l := range r.cfg.Listeners {
		url := listener.BoundURL(l)
		require.Equal(t, []string{"http", "unix", "https", "unixs"}[i], strings.Split(url, "://")[0])
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, l.Addr().Network(), l.Addr().String())
		}
		creds, scheme := insecure.NewCredentials(), "http"
		if listener.IsSecure(l) {
			creds, scheme = credentials.NewTLS(&tls.Config{RootCAs: a.pool(), ServerName: "localhost"}), "https"
		}
		conn, err := grpc.NewClient("passthrough:///localhost", grpc.WithTransportCredentials(creds),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx, "", "") }))
		require.NoError(t, err)
		require.NoError(t, rangeOver(t, conn), url)
		conn.Close()
		transport := &http.Transport{DialContext: dial, TLSClientConfig: clientTLS(a)}
		_, body := getBody(t, &http.Client{Transport: transport}, scheme+"://localhost/health")
		require.Equal(t, healthy, body, url)
		transport.CloseIdleConnections()
	}
}

// Clients that got the scheme wrong are told apart from those that are broken.
func TestWrongSchemePlaintext(t *testing.T) {
	a := newAuthority(t)
	secure := startTLS(t, newTLSFiles(t, a.sign("server")).TLS)
	resp, err := http.Get("http://" + secure.addr + "/health")
	require.NoError(t, err)
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	require.Equal(t, 400, resp.StatusCode)
	require.Equal(t, "Client sent an HTTP request to an HTTPS server.\n", string(text))
	_, err = http.Get("http://" + secure.addr + "/health") // not logged again so soon
	require.NoError(t, err)
	warnings := secure.logged(logrus.WarnLevel)
	require.Len(t, warnings, 1)
	require.Equal(t, "a client speaks plaintext to a TLS URL; give it https:// as the endpoint, and the certificates", warnings[0].Message)
	require.Contains(t, warnings[0].Data["client"], "127.0.0.1:")
}

func TestWrongSchemeTLS(t *testing.T) {
	plain := start(t)
	plain.accepting(t)
	_, err := tls.Dial("tcp", plain.addr, clientTLS(newAuthority(t)))
	require.Error(t, err)
	warnings := plain.logged(logrus.WarnLevel)
	require.Len(t, warnings, 1)
	require.Equal(t, "a client speaks TLS to a plaintext URL; give it http:// as the endpoint, or listen on https://", warnings[0].Message)
}

// The first bytes may come one by one, and may never come.
func TestSlowFirstBytes(t *testing.T) {
	r := start(t)
	r.accepting(t)
	silent, err := net.Dial("tcp", r.addr)
	require.NoError(t, err)
	defer silent.Close()
	slow, err := net.Dial("tcp", r.addr)
	require.NoError(t, err)
	defer slow.Close()
	for _, b := range []byte("PRI /version HTTP/1.0\r\n\r\n") { // a method that begins like HTTP/2's preface
		_, err := slow.Write([]byte{b})
		require.NoError(t, err)
	}
	status, err := bufio.NewReader(slow).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.0 405 Method Not Allowed\r\n", status)

	h2, err := net.Dial("tcp", r.addr)
	require.NoError(t, err)
	defer h2.Close()
	for _, b := range []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00") {
		_, err := h2.Write([]byte{b})
		require.NoError(t, err)
	}
	frame := make([]byte, 9)
	_, err = io.ReadFull(h2, frame)
	require.NoError(t, err)
	require.Equal(t, byte(4), frame[3], "SETTINGS")

	require.NoError(t, r.Stop(ctxFor(t)))
	_, err = silent.Read(make([]byte, 1))
	require.Error(t, err)
}

// A web page may use the gateway if its origin is allowed.
func TestCORS(t *testing.T) {
	for _, c := range []struct {
		allowed        []string
		origin, answer string
		socket         int
	}{
		{nil, "", "", 101},
		{nil, "https://page", "", 403},
		{[]string{"*"}, "", "*", 101},
		{[]string{"*"}, "https://page", "*", 101},
		{[]string{"https://page", "https://other"}, "https://page", "https://page", 101},
		{[]string{"https://other"}, "https://page", "", 403},
	} {
		t.Run(strings.Join(c.allowed, "+")+" "+c.origin, func(t *testing.T) { checkCORS(t, c.allowed, c.origin, c.answer, c.socket) })
	}
}

func checkCORS(t *testing.T, allowed []string, origin, answer string, socket int) {
	r := start(t, func(c *Config) { c.CORS = allowed })
	r.accepting(t)
	req, err := http.NewRequest(http.MethodOptions, "http://"+r.addr+"/v3/kv/range", nil)
	require.NoError(t, err)
	req.Close = true
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, answer, resp.Header.Get("Access-Control-Allow-Origin"))
	if answer != "" {
		require.Equal(t, "POST, GET, OPTIONS, PUT, DELETE", resp.Header.Get("Access-Control-Allow-Methods"))
		require.Equal(t, "accept, content-type, authorization", resp.Header.Get("Access-Control-Allow-Headers"))
	}
	conn, upgrade, err := websocket.DefaultDialer.Dial("ws://"+r.addr+"/v3/watch", header)
	require.Equal(t, socket, upgrade.StatusCode)
	if err == nil {
		conn.Close()
	}
}

// A gateway request that is much too large is cut off; a little less gets gRPC's
// answer, and less than that the state's.
func TestGatewayBounds(t *testing.T) {
	r := start(t, func(c *Config) { c.MaxRequestBytes = 1000 })
	r.accepting(t)
	ask := func(valueBytes int) string {
		body := `{"key":"aw==","value":"` + strings.Repeat("AAAA", valueBytes/3) + `"}`
		resp, err := http.Post("http://"+r.addr+"/v3/kv/put", "application/json", strings.NewReader(body))
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(text)
	}
	defer http.DefaultClient.CloseIdleConnections()
	require.Contains(t, ask(3), `"revision":"12"`)
	require.Contains(t, ask(1200), "etcdserver: request is too large")
	require.Contains(t, ask(600<<10), "grpc: received message larger than max (614407 vs. 525288)")
	require.Equal(t, `{"code":3,"message":"etcdserver: request is too large"}`, strings.ReplaceAll(ask(3<<20), ", ", ","))
}
