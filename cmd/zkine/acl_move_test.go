package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
)

// zkines are those of one root, each of which is restarted with other flags, while
// clients write and watch.
type zkines struct {
	t     *testing.T
	args  []string // of all
	ports []int
	run   []*process
}

func startZkines(t *testing.T, n int, args []string) *zkines {
	t.Helper()
	z := &zkines{t: t, args: args, run: make([]*process, n)}
	for range n {
		port, err := embedded.FreePort()
		require.NoError(t, err)
		z.ports = append(z.ports, port)
	}
	z.restart()
	return z
}

// restart has them run with further flags, one after the other.
func (z *zkines) restart(flags ...string) {
	z.t.Helper()
	for i := range z.run {
		if z.run[i] != nil {
			z.run[i].signal(syscall.SIGTERM)
			require.Zero(z.t, z.run[i].end())
		}
		z.run[i] = startZkine(z.t, append(append([]string{fmt.Sprintf("--name=z%d", i), "--listen-client-urls=http://" + z.endpoint(i),
			"--log-segment-slots=32", "--checkpoint-log-bytes=20000"}, z.args...), flags...))
		z.run[i].ready()
	}
}

func (z *zkines) endpoint(i int) string { return fmt.Sprintf("127.0.0.1:%d", z.ports[i]) }

// serving has none ended by itself.
func (z *zkines) serving() {
	z.t.Helper()
	for _, p := range z.run {
		select {
		case <-p.exited:
			z.t.Fatalf("a zkine has ended: %s", p.text())
		default:
		}
		require.NotContains(z.t, p.text(), "NOAUTH")
	}
}

// load writes and watches until it is stopped, and then compares.
type load struct {
	t      *testing.T
	c      *clientv3.Client
	cancel context.CancelFunc
	wg     sync.WaitGroup
	acked  [4]atomic.Int64 // of each writer: the number that was acknowledged last

	mu     sync.Mutex
	events int64
	at     int64 // the revision of the last event
	seen   map[string]string
}

func startLoad(t *testing.T, z *zkines) *load {
	t.Helper()
	var endpoints []string
	for i := range z.run {
		endpoints = append(endpoints, z.endpoint(i))
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop(), DialTimeout: limit})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, c: c, cancel: cancel, seen: map[string]string{}}
	t.Cleanup(func() { cancel(); l.wg.Wait(); c.Close() })
	first, err := c.Get(within(t), "none")
	require.NoError(t, err)
	l.at = first.Header.Revision
	watch := c.Watch(clientv3.WithRequireLeader(ctx), "w", clientv3.WithPrefix(), clientv3.WithRev(l.at+1))
	l.wg.Go(func() { l.follow(watch) })
	for i := range l.acked {
		l.wg.Go(func() { l.write(ctx, i) })
	}
	return l
}

func (l *load) write(ctx context.Context, i int) {
	for n := int64(1); ctx.Err() == nil; {
		within, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := l.c.Put(within, fmt.Sprintf("w%d", i), fmt.Sprint(n))
		cancel()
		if err == nil { // else the same again
			l.acked[i].Store(n)
			n++
		}
	}
}

// follow takes the events, which must come with each revision once.
func (l *load) follow(watch clientv3.WatchChan) {
	for response := range watch {
		l.mu.Lock()
		for _, e := range response.Events {
			if e.Kv.ModRevision != l.at+1 {
				l.t.Errorf("an event of revision %d came after %d", e.Kv.ModRevision, l.at)
			}
			l.at = e.Kv.ModRevision
			l.seen[string(e.Kv.Key)] = string(e.Kv.Value)
			l.events++
		}
		l.mu.Unlock()
	}
}

// goesOn waits until each writer has written some more.
func (l *load) goesOn() {
	l.t.Helper()
	for i := range l.acked {
		from := l.acked[i].Load()
		require.Eventually(l.t, func() bool { return l.acked[i].Load() > from+5 }, limit, time.Millisecond)
	}
}

// check compares while the writers go on: what was acknowledged is there, and every
// event up to it has come.
func (l *load) check() {
	l.t.Helper()
	last := [4]int64{}
	for i := range l.acked {
		last[i] = l.acked[i].Load()
		got, err := l.c.Get(within(l.t), fmt.Sprintf("w%d", i))
		require.NoError(l.t, err)
		n, err := strconv.ParseInt(string(got.Kvs[0].Value), 10, 64)
		require.NoError(l.t, err)
		require.GreaterOrEqual(l.t, n, last[i], "an acknowledged write was lost")
		require.Eventually(l.t, func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.at >= got.Header.Revision
		}, limit, time.Millisecond, "events are missing")
	}
	l.mu.Lock()
	l.t.Logf("%v writes were acknowledged, %d events came", last, l.events)
	l.mu.Unlock()
}

// TestARootIsMovedWhileItIsServed goes the documented way: from open to who zkine
// authenticates as, and on to another identity.
func TestARootIsMovedWhileItIsServed(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	z := startZkines(t, 3, []string{"--zookeeper=" + server.Addr(), "--zookeeper-root=" + root, "--zookeeper-session-timeout=4s"})
	l := startLoad(t, z)
	name := authFile(t, "x:pw")
	auth := "--zookeeper-auth-file=" + name
	apply := func(flags ...string) {
		t.Helper()
		out, err := zkine(append([]string{"acl", "apply", "--zookeeper=" + server.Addr(), "--zookeeper-root=" + root, auth}, flags...)...)
		require.NoError(t, err, out)
		t.Log(out)
		l.goesOn()
		z.serving()
		out, err = zkine("acl", "verify", "--zookeeper="+server.Addr(), "--zookeeper-root="+root, auth)
		require.NoError(t, err, out)
	}
	// Open to x: credentials first, then the ACL of what is new, then of what is old.
	z.restart(auth, "--zookeeper-acl=open")
	z.restart(auth)
	apply()
	stranger, _, err := zk.Connect([]string{server.Addr()}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	t.Cleanup(stranger.Close)
	_, _, err = stranger.Children(root)
	require.ErrorIs(t, err, zk.ErrNoAuth)

	// x to y: both, and then y alone.
	writeAuth(t, name, "x:pw", "y:pw")
	z.restart(auth)
	apply()
	writeAuth(t, name, "y:pw")
	z.restart(auth) // x may still do everything
	apply()
	require.NoError(t, stranger.AddAuth("digest", []byte("x:pw")))
	_, _, err = stranger.Children(root)
	require.ErrorIs(t, err, zk.ErrNoAuth)
	z.restart(auth, "--zookeeper-acl-strict")
	l.goesOn()
	l.check()
	z.serving()
}
