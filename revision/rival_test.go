package revision_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zktest"
)

// longTimeout is a session timeout that no test here may have to wait for.
const longTimeout = 20 * time.Second

// patient dials with a long session timeout.
func patient(servers ...string) *revision.ZooKeeper {
	return &revision.ZooKeeper{Servers: servers, Timeout: longTimeout, MaxRequest: revision.DefaultMaxRequest, Log: quiet()}
}

// hung accepts connections, and never says a word.
func hung(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return l.Addr().String()
}

// TestAServerThatHangsDoesNotHoldUpADial dials often enough to begin with each
// server.
func TestAServerThatHangsDoesNotHoldUpADial(t *testing.T) {
	d := patient(hung(t), zktest.Shared(t).Addr(), hung(t))
	for range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), longTimeout/2)
		conn, err := d.Dial(ctx)
		cancel()
		require.NoError(t, err)
		conn.Close()
	}
}

// TestEachDialBeginsWithAnotherServer counts sessions through two proxies. Where
// a server takes its time, the other one is asked as well.
func TestEachDialBeginsWithAnotherServer(t *testing.T) {
	one, two := zktest.NewProxy(t, zktest.Shared(t).Addr()), zktest.NewProxy(t, zktest.Shared(t).Addr())
	d := patient(one.Addr(), two.Addr())
	for range 6 {
		conn, err := d.Dial(t.Context())
		require.NoError(t, err)
		conn.Close()
	}
	require.GreaterOrEqual(t, one.Requests(zktest.OpClose), 2)
	require.GreaterOrEqual(t, two.Requests(zktest.OpClose), 2)
}

// TestAnotherServerTakesOverFromASilentOne freezes what a zkine is connected to,
// again and again. Nobody waits for the session timeout, nothing is lost, and
// the member is listed.
func TestAnotherServerTakesOverFromASilentOne(t *testing.T) {
	server := zktest.Start(t, zktest.WithTickTime(time.Second))
	proxies := []*zktest.Proxy{zktest.NewProxy(t, server.Addr()), zktest.NewProxy(t, server.Addr())}
	r := openLog(t, revision.Config{Dialer: patient(proxies[0].Addr(), proxies[1].Addr())})
	require.NoError(t, r.log.Join(t.Context(), revision.Member{Name: "a", ID: 1}))
	appended := r.append(batchOf(put("a", "0")))
	for i := range 2 {
		// Only one of them carries the session; to freeze the other does nothing.
		for _, p := range proxies {
			p.Freeze(zktest.ToServer)
			p.Freeze(zktest.ToClient)
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), longTimeout)
			out, err := r.log.Append(ctx, batchOf(put("a", "1")))
			cancel()
			require.NoError(t, err, "round %d", i)
			require.Less(t, time.Since(began), longTimeout*2/3, "the session timeout was waited for")
			appended = out
			p.Thaw(zktest.ToServer)
			p.Thaw(zktest.ToClient)
		}
	}
	r.reach(appended.Seq)
	require.NoError(t, r.err)
	members, err := r.log.Members(t.Context())
	require.NoError(t, err)
	require.Len(t, members, 1)
}
