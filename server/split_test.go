package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/server/listener"
)

// postRange asks the JSON gateway.
func postRange(t *testing.T, client *http.Client, url string) (code int, body string) {
	t.Helper()
	resp, err := client.Post(url+"/v3/kv/range", "application/json", strings.NewReader(`{"key":"YQ=="}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// TestURLsForHTTPAlone: with --listen-client-http-urls those serve HTTP, and the
// client URLs gRPC, in plaintext and with TLS, and neither the other's.
func TestURLsForHTTPAlone(t *testing.T) {
	ca := newAuthority(t)
	files := newTLSFiles(t, ca.sign("server"))
	var http1 []string
	r := start(t, func(c *Config) {
		var err error
		listener.CloseAll(c.Listeners)
		c.Listeners, err = listener.Listen([]string{"http://127.0.0.1:0", "https://127.0.0.1:0"})
		require.NoError(t, err)
		c.HTTPListeners, err = listener.Reuse{}.ListenHTTP([]string{"http://127.0.0.1:0", "https://127.0.0.1:0"})
		require.NoError(t, err)
		for _, l := range c.HTTPListeners {
			http1 = append(http1, listener.BoundURL(l))
		}
		c.TLS = files.TLS
	})
	r.accepting(t)
	grpcPlain, grpcTLS := r.bound.clients[0].Addr().String(), r.bound.clients[1].Addr().String()
	httpPlain, httpTLS := r.bound.http[0].Addr().String(), r.bound.http[1].Addr().String()

	// gRPC.
	require.NoError(t, rangeOver(t, dial(t, grpcPlain)))
	require.NoError(t, rangeOver(t, dialTLS(t, grpcTLS, clientTLS(ca))))
	require.Equal(t, codes.Unimplemented, status.Code(rangeOver(t, dialTLS(t, httpTLS, clientTLS(ca)))), "it is 404")
	conn, err := net.Dial("tcp", httpPlain)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadAll(conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it is closed")

	// HTTP, 1 and 2.
	both := []*http.Client{httpsClient(t, clientTLS(ca), false), httpsClient(t, clientTLS(ca), true)}
	for _, client := range both {
		code, body := postRange(t, client, http1[1])
		require.Equal(t, 200, code, body)
		_, body = getBody(t, client, http1[1]+"/version")
		require.Contains(t, body, "etcdserver")
	}
	code, body := postRange(t, http.DefaultClient, http1[0])
	require.Equal(t, 200, code, body)
	code, body = postRange(t, http.DefaultClient, "http://"+grpcPlain)
	require.Equal(t, 400, code)
	require.Equal(t, "This URL serves gRPC alone, see --listen-client-http-urls.\n", body)
	_, err = both[0].Get("https://" + grpcTLS + "/version")
	require.Error(t, err)
}

func TestWithoutGateway(t *testing.T) {
	r := start(t, func(c *Config) { c.NoGateway = true })
	r.accepting(t)
	code, _ := postRange(t, http.DefaultClient, "http://"+r.addr)
	require.Equal(t, 404, code)
	resp, err := http.Get("http://" + r.addr + "/version")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
}

// TestExtensiveMetrics: the family that etcd's dashboards read, with its labels.
func TestExtensiveMetrics(t *testing.T) {
	const line = `grpc_server_handling_seconds_count{grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} `
	for extensive, times := range map[bool]int{false: 0, true: 1} {
		t.Run(fmt.Sprint(extensive), func(t *testing.T) {
			r := start(t, func(c *Config) { c.ExtensiveMetrics = extensive })
			r.accepting(t)
			require.NoError(t, rangeOver(t, r.Conn))
			_, body := r.ask(t, "/metrics")
			require.Equal(t, times, strings.Count(body, line+"1"))
		})
	}
}

// TestAllowedHostnames: a certificate that is for none of the names is refused,
// though its authority is trusted.
func TestAllowedHostnames(t *testing.T) {
	ca := newAuthority(t)
	for names, ok := range map[string]bool{"localhost": true, "elsewhere,127.0.0.1": true, "elsewhere": false} {
		t.Run(names, func(t *testing.T) {
			files := newTLSFiles(t, ca.sign("server"))
			files.trust(ca)
			files.AllowedHostnames = strings.Split(names, ",")
			r := startTLS(t, files.TLS)
			err := rangeOver(t, dialTLS(t, r.addr, clientTLS(ca, ca.sign("client"))))
			if ok {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Eventually(t, func() bool {
				return strings.Contains(handshakeFailures(t, r), "is for no name of --client-cert-allowed-hostname")
			}, soon, 5*time.Millisecond)
		})
	}
}
