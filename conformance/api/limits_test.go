package api

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/embed"
	"golang.org/x/net/http2"

	"github.com/zkine/zkine/conformance/reference"
	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// TestHostWhitelist has both answer the same, status and body, to whatever name is asked for.
func TestHostWhitelist(t *testing.T) {
	zkine := rigtest.Start(t, "--host-whitelist=localhost,::1").Endpoint
	etcd := reference.Start(t, func(c *embed.Config) {
		c.HostWhitelist = map[string]struct{}{"localhost": {}, "::1": {}}
	})
	for _, host := range []string{
		"localhost", "localhost:2379", "[::1]:2379", "LOCALHOST", "sub.localhost", "127.0.0.1:2379", "evil.example", `a"b`, "a:b:c",
	} {
		require.Equal(t, versionAs(t, etcd, host), versionAs(t, zkine, host), host)
	}
	require.Contains(t, versionAs(t, zkine, "evil.example"), "421 Misdirected Request")
}

// versionAs asks for a path under a host's name, and returns all that is answered but for the date.
func versionAs(t *testing.T, endpoint, host string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodGet, "http://"+endpoint+"/version", nil)
	require.NoError(t, err)
	request.Host, request.Close = host, true
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return fmt.Sprint(response.Status, " ", response.Header.Get("Content-Type"), "\n", string(body))
}

// TestConnectionLimits has the flags of etcd's that bound a connection do what they do there.
func TestConnectionLimits(t *testing.T) {
	zkine := rigtest.Start(t, "--max-concurrent-streams=7", "--grpc-keepalive-min-time=1h",
		"--grpc-keepalive-interval=1s", "--grpc-keepalive-timeout=1s").Endpoint
	etcd := reference.Start(t, func(c *embed.Config) {
		c.MaxConcurrentStreams = 7
		c.GRPCKeepAliveMinTime, c.GRPCKeepAliveInterval, c.GRPCKeepAliveTimeout = time.Hour, time.Second, time.Second
	})
	for name, endpoint := range map[string]string{"zkine": zkine, "etcd": etcd} {
		t.Run(name+" tells how many streams", func(t *testing.T) {
			frames := greet(t, endpoint)
			settings := await[*http2.SettingsFrame](t, frames)
			most, told := settings.Value(http2.SettingMaxConcurrentStreams)
			require.True(t, told)
			require.Equal(t, uint32(7), most)
		})
		t.Run(name+" sends away who pings", func(t *testing.T) {
			frames := greet(t, endpoint)
			for range 5 {
				_ = frames.WritePing(false, [8]byte{}) // it may have had enough
			}
			goAway := await[*http2.GoAwayFrame](t, frames)
			require.Equal(t, http2.ErrCodeEnhanceYourCalm, goAway.ErrCode)
			require.Equal(t, "too_many_pings", string(goAway.DebugData()))
		})
		t.Run(name+" pings, and gives up", func(t *testing.T) {
			frames := greet(t, endpoint)
			await[*http2.PingFrame](t, frames)
			for {
				if _, err := frames.ReadFrame(); err != nil {
					require.NotErrorIs(t, err, errTooLate)
					return
				}
			}
		})
	}
}

var errTooLate = fmt.Errorf("nothing came in %v", patience)

// greet begins a connection that speaks HTTP/2 frame by frame.
func greet(t *testing.T, endpoint string) *http2.Framer {
	t.Helper()
	conn, err := net.Dial("tcp", endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	frames := http2.NewFramer(conn, lateReader{conn})
	_, err = io.Copy(conn, bytes.NewBufferString(http2.ClientPreface))
	require.NoError(t, err)
	require.NoError(t, frames.WriteSettings())
	return frames
}

// lateReader tells a deadline from an end.
type lateReader struct{ net.Conn }

func (r lateReader) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	if late, ok := err.(net.Error); ok && late.Timeout() {
		err = errTooLate
	}
	return n, err
}

// await reads until a frame of a kind.
func await[F http2.Frame](t *testing.T, frames *http2.Framer) F {
	t.Helper()
	for {
		frame, err := frames.ReadFrame()
		require.NoError(t, err)
		if wanted, ok := frame.(F); ok {
			return wanted
		}
	}
}
