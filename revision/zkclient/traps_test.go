package zkclient_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zktest"
)

// Each of these tests meets a trap of the Go client's (zkconn.go lists them) on
// a real ZooKeeper, and shows what the wrapper makes of it. Resuming a session,
// where the client sends authentications and watches again, does not happen at
// all: TestNothingSurvivesASession.

// session dials, through a proxy, with a session timeout of two seconds.
func session(t *testing.T, d zkclient.Dialer) zkclient.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := d.Dial(ctx)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// brief dials with a session timeout of two seconds.
func brief(servers ...string) *zkclient.Ensemble {
	d := patient(servers...)
	d.Timeout = 2 * time.Second
	return d
}

// silentServer accepts connections and never says a word.
func silentServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, conn) //nolint:errcheck // until the client gives up
		}
	}()
	return listener.Addr().String()
}

// TestHungServerIsLeft: the client alone would wait for its handshake for ten
// session timeouts.
func TestHungServerIsLeft(t *testing.T) {
	d := brief(silentServer(t), zktest.Shared(t).Addr())
	for range 4 { // each begins with a random one
		began := time.Now()
		session(t, d)
		require.Less(t, time.Since(began), 3*d.Timeout)
	}
}

// TestHungSessionIsGivenUp: a server that answers no more is found out within
// the session timeout, and the call that waited ends.
func TestHungSessionIsGivenUp(t *testing.T) {
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	d := brief(proxy.Addr())
	conn := session(t, d)
	proxy.Freeze(zktest.ToClient)
	began := time.Now()
	_, _, err := conn.Get(t.Context(), "/")
	require.Error(t, err)
	<-conn.Done()
	require.Less(t, time.Since(began), 2*d.Timeout)
}

// TestNothingSurvivesASession: the client alone would keep a request that was
// made while it was cut off, and send it in its next session.
func TestNothingSurvivesASession(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	proxy := zktest.NewProxy(t, server.Addr())
	conn := session(t, brief(proxy.Addr()))
	proxy.CutAll()
	create := &zk.CreateRequest{Path: root, Acl: zk.WorldACL(zk.PermAll)}
	_, err := conn.Multi(t.Context(), create) // whether it has noticed or not
	require.Error(t, err)
	require.False(t, zkclient.Definite(err), "nobody knows whether it was sent")
	<-conn.Done()
	_, err = conn.Multi(t.Context(), create)
	require.Error(t, err)

	handshakes := proxy.Connections()
	require.Zero(t, handshakes, "the client does not come back by itself")
	other := session(t, brief(server.Addr()))
	_, _, err = other.Get(t.Context(), root)
	require.ErrorIs(t, err, zk.ErrNoNode)
	require.Zero(t, proxy.Connections())
}

// TestCloseDoesNotHang: the client alone waits for a server that is silent, and
// can lock up. Nothing of it may be left, either.
func TestCloseDoesNotHang(t *testing.T) {
	server := zktest.Shared(t).Addr()
	for name, harm := range map[string]func(*zktest.Proxy){
		"nothing arrives":   func(p *zktest.Proxy) { p.Freeze(zktest.ToServer) },
		"nothing comes":     func(p *zktest.Proxy) { p.Freeze(zktest.ToClient) },
		"the line is cut":   func(p *zktest.Proxy) { p.CutAll() },
		"nothing is broken": func(*zktest.Proxy) {},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := zktest.NewProxy(t, server)
			conn := session(t, brief(proxy.Addr()))
			harm(proxy)
			call := make(chan error, 1)
			go func() {
				_, _, err := conn.Get(context.Background(), "/")
				call <- err
			}()
			began := time.Now()
			conn.Close()
			require.Less(t, time.Since(began), 5*time.Second)
			<-conn.Done()
			<-call // whatever it was
			require.Eventually(t, func() bool { return !clientRuns() }, 30*time.Second, 5*time.Millisecond,
				"the client's goroutines end")
		})
	}
}

// clientRuns says whether goroutines of the ZooKeeper client run: any at all,
// since tests of this package run one at a time.
func clientRuns() bool {
	buf := make([]byte, 1<<20)
	return strings.Contains(string(buf[:runtime.Stack(buf, true)]), "go-zookeeper/zk.(*Conn)")
}
