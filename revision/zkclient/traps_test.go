package zkclient_test

import (
	"context"
	"errors"
	"fmt"
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

// Each of these tests meets a trap of the Go client's on a real ZooKeeper, and
// shows what the wrapper makes of it. zkconn.go lists the traps:
//
//   - It reconnects by itself, and what waits survives:
//     TestNothingSurvivesASession.
//   - It arms watches again in a race with replies: the same, since it does not
//     come back; TestAWatchHearsOfALostConnection.
//   - Calls block while disconnected, and have no context:
//     TestACallEndsWithItsContext, TestHungSessionIsGivenUp.
//   - It believes every length that it reads: package transport's tests;
//     TestWrongServersAreNamedAndCostLittle, TestARefusedAnswerEndsTheSession.
//   - The handshake's deadline is ten times too long: TestHungServerIsLeft.
//   - A name is resolved once, and a round of failures costs a second:
//     TestANameMayLeadElsewhereLater, TestAServerIsFoundSoonAfterItServes.
//   - The event channel drops events: TestManyEventsDoNotHideTheEnd.
//   - The session timeout that was granted is not exposed:
//     TestTheGrantedSessionTimeoutIsKnown.
//   - A request that is too large for its buffer fails before it is sent, and
//     looks like others that may have been: TestTooLargeForTheClient.
//   - Close can lock up, and leave goroutines: TestCloseDoesNotHang.
//
// Two traps are not met here, since they need what the wrapper never does: a
// session that is resumed sends authentications and watches again, and can
// deadlock. What the log makes of lost watches and of servers that are behind is
// in package zklog (traps_log_test.go).

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

// TestAWatchHearsOfALostConnection: the client alone says nothing to a watch
// when the connection is lost, and arms it again on the next one.
func TestAWatchHearsOfALostConnection(t *testing.T) {
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	conn := session(t, brief(proxy.Addr()))
	watched, err := conn.GetW(t.Context(), "/")
	require.NoError(t, err)
	proxy.CutAll()
	select {
	case e := <-watched.Event:
		require.Equal(t, zk.EventNotWatching, e.Type)
	case <-time.After(30 * time.Second):
		require.FailNow(t, "the watch heard nothing")
	}
	<-conn.Done()
	require.Zero(t, proxy.Connections(), "the client does not come back by itself")
}

// TestACallEndsWithItsContext: the client's calls have none, and wait for as long
// as the server is silent.
func TestACallEndsWithItsContext(t *testing.T) {
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	conn := session(t, patient(proxy.Addr()))
	proxy.Freeze(zktest.ToClient)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the caller has no more use for it")
	ended := make(chan error, 5)
	for _, call := range []func() error{
		func() error { _, _, err := conn.Get(ctx, "/"); return err },
		func() error { _, err := conn.GetW(ctx, "/"); return err },
		func() error { _, err := conn.Children(ctx, "/"); return err },
		func() error { _, err := conn.Exists(ctx, "/"); return err },
		func() error { _, err := conn.Multi(ctx, &zk.CheckVersionRequest{Path: "/", Version: -1}); return err },
	} {
		go func() { ended <- call() }()
	}
	began := time.Now()
	cancel(why)
	for range cap(ended) {
		err := <-ended
		require.ErrorIs(t, err, why)
		require.False(t, zkclient.Definite(err), "it may have been sent")
	}
	require.Less(t, time.Since(began), longTimeout/2)
}

// TestManyEventsDoNotHideTheEnd: the client's event channel has room for six
// events, and drops what comes after. Here many watches fire before the
// connection is lost, and the loss is known at once.
func TestManyEventsDoNotHideTheEnd(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	proxy := zktest.NewProxy(t, server.Addr())
	conn := session(t, patient(proxy.Addr()))
	writer := session(t, patient(server.Addr()))
	var watches []<-chan zk.Event
	for i := range 30 {
		path := fmt.Sprint(root, "-", i)
		_, err := writer.Multi(t.Context(), &zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll)}, &zk.CheckVersionRequest{Path: "/", Version: -1})
		require.NoError(t, err)
		_, err = conn.Multi(t.Context(), &zk.CheckVersionRequest{Path: path, Version: -1})
		require.NoError(t, err)
		watched, err := conn.GetW(t.Context(), path)
		require.NoError(t, err)
		_, err = writer.Multi(t.Context(), &zk.SetDataRequest{Path: path, Version: -1})
		require.NoError(t, err)
		watches = append(watches, watched.Event)
	}
	for _, events := range watches {
		require.Equal(t, zk.EventNodeDataChanged, (<-events).Type)
	}
	began := time.Now()
	proxy.CutAll()
	<-conn.Done()
	require.Less(t, time.Since(began), longTimeout/2)
}

// TestTheGrantedSessionTimeoutIsKnown: the client keeps it to itself.
func TestTheGrantedSessionTimeoutIsKnown(t *testing.T) {
	d := brief(zktest.Shared(t).Addr())
	require.Equal(t, d.Timeout, session(t, d).SessionTimeout())
	d.Timeout = time.Hour
	granted := session(t, d).SessionTimeout()
	require.Positive(t, granted)
	require.Less(t, granted, d.Timeout, "the server bounds it")
}

// TestTooLargeForTheClient: what does not fit into the client's buffer was never
// sent, and harms neither the session nor what comes after.
func TestTooLargeForTheClient(t *testing.T) {
	root := zktest.Root(t)
	d := patient(zktest.Shared(t).Addr())
	conn := session(t, d)
	create := &zk.CreateRequest{Path: root, Data: make([]byte, d.MaxRequest+128<<10), Acl: zk.WorldACL(zk.PermAll)}
	_, err := conn.Multi(t.Context(), create)
	require.Error(t, err)
	require.True(t, zkclient.Definite(err), "%v", err)
	_, _, err = conn.Get(t.Context(), root)
	require.ErrorIs(t, err, zk.ErrNoNode)
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
			<-call //nolint:errcheck // that it ends is what counts
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
