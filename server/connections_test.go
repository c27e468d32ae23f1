package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// crowd opens connections that say something, and nothing after it. They are closed
// at the end of the test.
func crowd(t *testing.T, n int, addr, text string) (conns []net.Conn) {
	t.Helper()
	for range n {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		_, _ = io.WriteString(conn, text) // it may have been refused
		conns = append(conns, conn)
	}
	return conns
}

// What silent clients say: nothing, or as much as makes them look like clients.
var (
	prefaceOnly   = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	greetingOnly  = prefaceOnly + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	oneRequest    = "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"
	headersNoEnd  = "GET /version HTTP/1.1\r\nHost: localhost\r\nA: "
	bodyNoEnd     = "POST /v3/kv/range HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
	helloNoEnd    = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	openedNothing = ""
)

// shown is the value of a metric, with its labels.
func (r *running) shown(t *testing.T, series string) string {
	t.Helper()
	_, text := r.ask(t, "/metrics")
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("%s is not shown", series)
	return ""
}

// However many clients connect and make no call, others are served, and probes.
func TestIdleClientsStarveNoOther(t *testing.T) {
	const most = 40
	for name, said := range map[string]string{
		"nothing": openedNothing, "the preface": prefaceOnly, "the greeting": greetingOnly,
		"a request": oneRequest, "half the headers": headersNoEnd, "TLS": helloNoEnd,
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(c *Config) { c.MaxConnections = most })
			r.accepting(t)
			require.NoError(t, rangeOver(t, r.Conn)) // a client that is there before
			idle := crowd(t, 5*most, r.addr, said)
			require.Eventually(t, func() bool {
				conn := dial(t, r.addr)
				defer conn.Close()
				_, err := pb.NewKVClient(conn).Range(ctxFor(t), &pb.RangeRequest{Key: []byte("k")})
				return err == nil
			}, soon, 10*time.Millisecond, "a client that comes after them")
			require.NoError(t, rangeOver(t, r.Conn))
			code, _ := r.ask(t, "/readyz")
			require.Equal(t, 200, code)
			require.Equal(t, fmt.Sprint(most), r.shown(t, `zkine_connections_max{urls="clients"}`))
			open, ended := r.connections.clients.Counts()
			require.LessOrEqual(t, open, most)
			if name != "TLS" { // refused by themselves
				require.NotZero(t, ended.Evicted+ended.Refused)
				require.NotEmpty(t, r.logged(logrus.WarnLevel))
			}
			require.LessOrEqual(t, len(r.logged(logrus.WarnLevel)), 3)
			_ = idle
		})
	}
}

// A client with a stream, such as a watch, keeps its connection whoever comes.
func TestStreamsKeepTheirConnection(t *testing.T) {
	const most = 10
	r := start(t, func(c *Config) { c.MaxConnections = most })
	r.accepting(t)
	stream, err := pb.NewLeaseClient(r.Conn).LeaseKeepAlive(ctxFor(t))
	require.NoError(t, err)
	require.NoError(t, stream.Send(&pb.LeaseKeepAliveRequest{ID: 1}))
	_, err = stream.Recv()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		crowd(t, most, r.addr, greetingOnly)
		_, ended := r.connections.clients.Counts()
		return ended.Evicted > 3*most
	}, soon, 10*time.Millisecond)
	require.NoError(t, stream.Send(&pb.LeaseKeepAliveRequest{ID: 1}))
	_, err = stream.Recv()
	require.NoError(t, err)
}

// Probes have room on the metrics URLs, whatever else connects there.
func TestProbesHaveRoom(t *testing.T) {
	r := start(t)
	r.accepting(t)
	for name, said := range map[string]string{
		"nothing": openedNothing, "the preface": prefaceOnly, "a request": oneRequest, "half the headers": headersNoEnd,
	} {
		t.Run(name, func(t *testing.T) {
			crowd(t, 300, strings.TrimPrefix(r.metrics, "http://"), said)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: soon}
			require.Eventually(t, func() bool {
				resp, err := client.Get(r.metrics + "/readyz")
				if err != nil {
					return false // refused while all others are young
				}
				resp.Body.Close()
				return resp.StatusCode == 200
			}, soon, 10*time.Millisecond)
		})
	}
}

// TLS handshakes that are begun and not ended keep no client out.
func TestHalfOpenHandshakes(t *testing.T) {
	const most = 40
	a := newAuthority(t)
	r := startTLS(t, newTLSFiles(t, a.sign("server")).TLS, func(c *Config) { c.MaxConnections = most })
	for _, said := range []string{openedNothing, helloNoEnd} {
		crowd(t, 5*most, r.addr, said)
		crowd(t, 100, strings.TrimPrefix(r.metrics, "https://"), said)
		require.Eventually(t, func() bool {
			conn := dialTLS(t, r.addr, clientTLS(a))
			defer conn.Close()
			_, err := pb.NewKVClient(conn).Range(ctxFor(t), &pb.RangeRequest{Key: []byte("k")}, grpc.WaitForReady(true))
			return err == nil
		}, soon, 10*time.Millisecond)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: clientTLS(a)}, Timeout: soon}
		require.Eventually(t, func() bool {
			resp, err := client.Get(r.metrics + "/readyz")
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == 200
		}, soon, 10*time.Millisecond)
	}
}

// What makes no sense costs no goroutine for long, and few lines of the log.
func TestGarbage(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 1<<10)
	_, _ = random.Read(noise)
	said := []string{
		string(noise), "\x00", "\n\n\n\n", strings.Repeat("A", 100<<10), "HELO example\r\n", "SSH-2.0-x\r\n",
		prefaceOnly + string(noise), greetingOnly + "\xff\xff\xff\x00\x00\x00\x00\x00\x01",
		helloNoEnd + string(noise), "GET / HTTP/9.9\r\n\r\n", "GET /version HTTP/1.1\r\n\r\n", bodyNoEnd + "}",
	}
	a := newAuthority(t)
	for name, begin := range map[string]func(t *testing.T) (*running, *grpc.ClientConn){
		"plain": func(t *testing.T) (*running, *grpc.ClientConn) { r := start(t); return r, r.Conn },
		"TLS": func(t *testing.T) (*running, *grpc.ClientConn) {
			r := startTLS(t, newTLSFiles(t, a.sign("server")).TLS)
			return r, dialTLS(t, r.addr, clientTLS(a))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, conn := begin(t)
			r.accepting(t)
			_, metrics, _ := strings.Cut(r.metrics, "://")
			for _, addr := range []string{r.addr, metrics} {
				before := runtime.NumGoroutine()
				for range 20 {
					for _, text := range said {
						garbage, err := net.Dial("tcp", addr)
						require.NoError(t, err)
						_, _ = io.WriteString(garbage, text) // it may have been refused midway
						garbage.Close()
					}
				}
				enough := func() bool { return runtime.NumGoroutine() <= before+20 }
				require.Eventually(t, enough, soon, 10*time.Millisecond)
			}
			require.LessOrEqual(t, len(r.logged(logrus.WarnLevel)), 20)
			require.Empty(t, r.logged(logrus.ErrorLevel))
			require.NoError(t, rangeOver(t, conn))
		})
	}
}

// What a client says in its handshake is cut short in the log.
func TestHandshakeErrorsAreCut(t *testing.T) {
	a := newAuthority(t)
	r := startTLS(t, newTLSFiles(t, a.sign("server")).TLS)
	config := clientTLS(a)
	for range 200 {
		config.NextProtos = append(config.NextProtos, strings.Repeat("x", 200))
	}
	_, err := tls.Dial("tcp", r.addr, config)
	require.Error(t, err)
	require.Eventually(t, func() bool { return len(r.logged(logrus.WarnLevel)) > 0 }, soon, time.Millisecond)
	text, err := r.logged(logrus.WarnLevel)[0].String()
	require.NoError(t, err)
	require.Contains(t, text, "a TLS handshake failed")
	require.Less(t, len(text), 500)
}
