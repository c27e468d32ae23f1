package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/server/servertest"
)

// stopsAfter has the server stop, without time to drain, and requires that Stop
// does not return before release was called.
func (r *running) stopsAfter(t *testing.T, release func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.stop(ctx) //nolint:errcheck // that it returns is what counts
	}()
	select {
	case <-stopped:
		t.Error("Stop has returned too early")
	case <-time.After(50 * time.Millisecond): // long enough for a Stop that does not wait
	}
	release()
	<-stopped
	r.stopOnce.Do(func() {}) // the test's end stops again
}

// slowSnapshot is closed when the test lets it be.
type slowSnapshot struct {
	servertest.Snapshot
	closing, let chan struct{}
}

func (s *slowSnapshot) Close() error {
	close(s.closing)
	<-s.let
	return s.Snapshot.Close()
}

// Stop waits for a snapshot whose client was given up.
func TestStopWaitsForSnapshots(t *testing.T) {
	r := start(t, func(c *Config) { c.SnapshotStall = time.Millisecond })
	file := &slowSnapshot{servertest.Snapshot{Bytes: make([]byte, 64<<20)}, make(chan struct{}), make(chan struct{})}
	r.backend.SetAnswer(func(context.Context, any) (any, error) { return file, nil })
	_, err := pb.NewMaintenanceClient(r.Conn).Snapshot(ctxFor(t), &pb.SnapshotRequest{})
	require.NoError(t, err)
	<-file.closing
	r.stopsAfter(t, func() { close(file.let) })
	require.True(t, file.IsClosed())
}

// Stop waits for the reads of probes, on either kind of URL.
func TestStopWaitsForProbes(t *testing.T) {
	for _, kind := range []string{"metrics", "clients"} {
		t.Run(kind, func(t *testing.T) {
			r := start(t)
			r.accepting(t)
			reading, let := make(chan struct{}), make(chan struct{})
			var over atomic.Bool
			r.backend.SetAnswer(func(context.Context, any) (any, error) {
				close(reading)
				<-let
				over.Store(true)
				return nil, nil
			})
			url := map[string]string{"metrics": r.metrics, "clients": "http://" + r.addr}[kind]
			go http.Get(url + "/livez") //nolint:errcheck // that it came is what counts
			<-reading
			r.stopsAfter(t, func() { close(let) })
			require.True(t, over.Load())
		})
	}
}

// Stop ends websockets whose clients take nothing.
func TestStopEndsStalledWebsockets(t *testing.T) {
	r := start(t)
	r.accepting(t)
	// What the client's socket holds is bounded, so that less has to be made than fills it.
	dialer := websocket.Dialer{NetDial: func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
		}
		return conn, err
	}}
	conn, _, err := dialer.Dial("ws://"+r.addr+"/v3/watch", nil)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"create_request":{"key":"aw=="}}`)))
	<-r.backend.Stream.Did
	large := &pb.WatchResponse{Header: servertest.Header(43), Events: []*mvccpb.Event{{Kv: &mvccpb.KeyValue{Key: []byte("k"), Value: make([]byte, 5<<20)}}}}
	r.backend.Stream.Out <- large
	sending := func() bool {
		return strings.Contains(servertest.Stacks(), "gateway.(*socketAnswer).Write")
	}
	require.Eventually(t, sending, soon, time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.stop(ctx)              //nolint:errcheck // its time is over
	r.stopOnce.Do(func() {}) // the test's end stops again
	require.False(t, sending())
}

// Stop ends what a client waits for that has sent only a part: an HTTP request,
// whose handler then does not hear that the connection is closed, and the
// beginning of a gRPC connection.
func TestStopEndsWhatIsHalfSent(t *testing.T) {
	for _, c := range []struct{ name, sent, waits string }{
		{"request", "POST /debug/pprof/heap?seconds=3600 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", "pprof.handler.serveDeltaProfile"},
		{"preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "transport.NewServerTransport"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, func(c *Config) { c.EnablePprof = true })
			r.accepting(t)
			conn, err := net.Dial("tcp", r.addr)
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, c.sent)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return strings.Contains(servertest.Stacks(), c.waits) }, soon, time.Millisecond)
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			r.stopOnce.Do(func() {}) // the test's end stops again
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				r.stop(ctx) //nolint:errcheck // that it returns is what counts
			}()
			select {
			case <-stopped:
			case <-time.After(soon):
				t.Error("Stop does not return")
			}
		})
	}
}

// slowReady is a backend that is asked whether it is ready, and does not answer
// before the test lets it.
type slowReady struct {
	*servertest.Backend
	let chan struct{}
}

func (b slowReady) Ready() error {
	<-b.let
	return nil
}

// A probe has ended when nothing of it asks the backend any more.
func TestWhileServedEndsWithItsProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := slowReady{servertest.NewBackend(), make(chan struct{})}
		_, cancel := whileServed(t.Context(), b)
		time.Sleep(time.Second)
		var over atomic.Bool
		go func() {
			cancel()
			over.Store(true)
		}()
		synctest.Wait()
		require.False(t, over.Load())
		close(b.let)
		synctest.Wait()
		require.True(t, over.Load())
	})
}
