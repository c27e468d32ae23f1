package server

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// h2 is a connection that speaks HTTP/2 as little as it must.
type h2 struct {
	net.Conn
	t *testing.T
}

// The types of HTTP/2's frames that are looked at.
const (
	frameSettings = 4
	framePing     = 6
	frameGoAway   = 7
)

// greet says the preface, and nothing after it.
func greet(t *testing.T, addr string) *h2 {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	c := &h2{conn, t}
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	require.NoError(t, err)
	c.send(frameSettings, nil)
	return c
}

func (c *h2) send(kind byte, payload []byte) {
	head := []byte{0, 0, byte(len(payload)), kind, 0, 0, 0, 0, 0}
	_, _ = c.Write(append(head, payload...)) // the server may have had enough
}

// await reads until a frame of a kind, and returns what it holds.
func (c *h2) await(kind byte) []byte {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(soon)))
	for {
		head := make([]byte, 9)
		_, err := io.ReadFull(c, head)
		require.NoError(c.t, err, "before frame %d", kind)
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		_, err = io.ReadFull(c, payload)
		require.NoError(c.t, err)
		if head[3] == kind {
			return payload
		}
	}
}

// awaitEnd reads until the server closes.
func awaitEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(soon)))
	_, err := io.Copy(io.Discard, conn)
	if err != nil {
		require.ErrorContains(t, err, "reset by peer")
	}
}

// A connection may have as many calls under way as it is told, and not one more.
func TestMaxConcurrentStreams(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits.MaxConcurrentStreams = 2 })
	watching := healthpb.NewHealthClient(r.Conn)
	ctx, cancel := context.WithCancel(ctxFor(t))
	defer cancel()
	for range 2 {
		stream, err := watching.Watch(ctx, &healthpb.HealthCheckRequest{})
		require.NoError(t, err)
		_, err = stream.Recv()
		require.NoError(t, err)
	}
	settings := greet(t, r.addr).await(frameSettings)
	require.Contains(t, string(settings), string([]byte{0, 3, 0, 0, 0, 2}), "SETTINGS_MAX_CONCURRENT_STREAMS")
	short, end := context.WithTimeout(ctx, 200*time.Millisecond)
	defer end()
	_, err := pb.NewKVClient(r.Conn).Range(short, &pb.RangeRequest{Key: []byte("k")})
	require.Equal(t, codes.DeadlineExceeded, status.Code(err), "a third call waits: %v", err)
	cancel()
	_, err = pb.NewKVClient(r.Conn).Range(ctxFor(t), &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err, "once the others have ended")
}

// As in etcd a client without calls that pings over and over is sent away.
func TestKeepaliveMinTime(t *testing.T) {
	for _, c := range []struct {
		name    string
		minTime time.Duration
	}{{"etcd's default", 0}, {"an hour", time.Hour}} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, func(cfg *Config) { cfg.Limits.KeepaliveMinTime = c.minTime })
			conn := greet(t, r.addr)
			conn.await(frameSettings)
			for range 6 {
				conn.send(framePing, make([]byte, 8))
			}
			goAway := conn.await(frameGoAway)
			require.Equal(t, uint32(11), binary.BigEndian.Uint32(goAway[4:]), "ENHANCE_YOUR_CALM")
			require.Contains(t, string(goAway), "too_many_pings")
			awaitEnd(t, conn)
		})
	}
}

// A client that does not answer a ping is gone.
func TestKeepaliveIntervalAndTimeout(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits.KeepaliveInterval, c.Limits.KeepaliveTimeout = time.Second, time.Second })
	conn := greet(t, r.addr)
	conn.await(framePing)
	awaitEnd(t, conn)
}

// The defaults are etcd's, and a negative one is none.
func TestLimitsOfKeepalive(t *testing.T) {
	var l Limits
	l.setDefaults()
	require.Equal(t, Limits{1<<32 - 1, 5 * time.Second, 2 * time.Hour, 20 * time.Second}, l)
	none := Limits{1, -1, -1, -1}
	none.setDefaults()
	require.Equal(t, Limits{1, -1, -1, -1}, none)
	require.NotEmpty(t, none.grpc())
}

// Headers are bounded: they are held before anything is known of a client.
func TestHeaderBounds(t *testing.T) {
	r := start(t)
	r.accepting(t)
	call := func(bytes int) error {
		ctx := metadata.AppendToOutgoingContext(ctxFor(t), "long", strings.Repeat("x", bytes))
		_, err := pb.NewKVClient(r.Conn).Range(ctx, &pb.RangeRequest{Key: []byte("k")})
		return err
	}
	require.NoError(t, call(32<<10), "as large as a token may be")
	require.Equal(t, codes.Internal, status.Code(call(100<<10)))
	require.NoError(t, call(1))

	get := func(url string, bytes int) int {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		require.NoError(t, err)
		req.Header.Set("Long", strings.Repeat("x", bytes))
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, url := range []string{"http://" + r.addr + "/version", r.metrics + "/version"} {
		require.Equal(t, 200, get(url, 32<<10))
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, get(url, 100<<10))
	}
}

// A body has its time, but where clients send for as long as they like. It ends with
// the body: a call that waits for long keeps its connection.
func TestBodyDeadline(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		limited            bool
	}{
		{http.MethodPost, "/v3/kv/put", "{}", true},
		{http.MethodPost, "/v3/lock/lock", "{}", true},
		{http.MethodGet, "/health", "x", true},
		{http.MethodGet, "/health", "", false},
		{http.MethodPost, "/v3/watch", "{}", false},
		{http.MethodPost, "/v3beta/lease/keepalive", "{}", false},
	} {
		t.Run(c.path+" "+c.body, func(t *testing.T) {
			control := &deadlines{}
			s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if c.limited {
					require.Len(t, control.set, 1)
					require.WithinDuration(t, time.Now().Add(httpBodyTimeout), control.set[0], soon)
				}
				_, err := io.ReadAll(r.Body)
				require.NoError(t, err)
			})}
			Limits{}.http(s, metricsHeaderTimeout)
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			s.Handler.ServeHTTP(control, r)
			if !c.limited {
				require.Empty(t, control.set)
				return
			}
			require.Len(t, control.set, 2)
			require.Zero(t, control.set[1])
			require.Equal(t, httpIdleTimeout, s.IdleTimeout)
			require.Equal(t, metricsHeaderTimeout, s.ReadHeaderTimeout)
		})
	}
}

// deadlines notes the deadlines that it is given.
type deadlines struct {
	http.ResponseWriter
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}
