package zklog_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// These tests let a connection under a log fall silent.

// TestAnotherServerTakesOverFromASilentOne freezes what a zkine is connected to,
// again and again. No append waits for the session timeout, nothing is lost, and
// the member is listed.
func TestAnotherServerTakesOverFromASilentOne(t *testing.T) {
	server := zktest.Start(t, zktest.WithTickTime(time.Second))
	proxies := []*zktest.Proxy{zktest.NewProxy(t, server.Addr()), zktest.NewProxy(t, server.Addr())}
	r := openLog(t, zklog.Config{Dialer: lasting(proxies[0].Addr(), proxies[1].Addr())})
	require.NoError(t, r.log.Join(t.Context(), revision.Member{Name: "a", ID: 1}))
	appended := r.append(batchOf(put("a", "0")))
	for i := range 2 {
		// Only one of them carries the session; to freeze the other does nothing.
		for _, p := range proxies {
			p.Freeze(zktest.ToServer)
			p.Freeze(zktest.ToClient)
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), outlasting)
			out, err := r.log.Append(ctx, batchOf(put("a", "1")))
			cancel()
			require.NoError(t, err, "round %d", i)
			require.Less(t, time.Since(began), outlasting*2/3, "the session timeout was waited for")
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

// frozenOnce is a dialer whose first sessions fall silent when they are greeted.
type frozenOnce struct {
	zkclient.Dialer
	left atomic.Int64
}

func (f *frozenOnce) Dial(ctx context.Context) (zkclient.Conn, error) {
	conn, err := f.Dialer.Dial(ctx)
	if err == nil && f.left.Add(-1) >= 0 {
		return mutedConn{conn}, nil
	}
	return conn, err
}

// mutedConn never gets an answer to a read.
type mutedConn struct{ zkclient.Conn }

func (mutedConn) Get(ctx context.Context, _ string) ([]byte, *zk.Stat, error) {
	<-ctx.Done()
	return nil, nil, context.Cause(ctx)
}

// TestASessionThatFallsSilentAtOnceIsReplaced freezes two servers between their
// first answer and the greeting.
func TestASessionThatFallsSilentAtOnceIsReplaced(t *testing.T) {
	d := &frozenOnce{Dialer: memzk.New()}
	d.left.Store(2)
	began := time.Now()
	r := openLog(t, zklog.Config{Dialer: d})
	r.append(batchOf(put("a", "0")))
	require.Less(t, time.Since(began), 3*time.Second, "the greeting's time was waited for")
}
