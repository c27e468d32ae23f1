package zklog_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// A ZooKeeper that falls silent while a member is asked says nothing about the
// member.
func TestAliveWithoutZooKeeper(t *testing.T) {
	server := zktest.Start(t, zktest.WithTickTime(2*time.Second))
	a := openLog(t, zklog.Config{Dialer: lasting(server.Addr())})
	require.NoError(t, a.log.Join(t.Context(), revision.Member{Name: "a", ID: 7}))
	proxy := zktest.NewProxy(t, server.Addr())
	b := openLog(t, zklog.Config{Dialer: lasting(proxy.Addr())})
	ask := func() (bool, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return b.log.Alive(ctx, "a")
	}
	alive, err := ask()
	require.NoError(t, err)
	require.True(t, alive)

	const multi = 14
	asked := proxy.Requests(multi)
	type outcome struct {
		alive bool
		err   error
	}
	out := make(chan outcome)
	go func() {
		alive, err := ask()
		out <- outcome{alive, err}
	}()
	proxy.AwaitRequests(multi, asked+1)
	proxy.Freeze(zktest.ToClient)
	defer proxy.Thaw(zktest.ToClient)
	o := <-out
	require.False(t, o.err == nil && !o.alive, "a lives; ZooKeeper did not answer")
}

// A member whose wire is cut is found silent, and gives a sign of life again.
func TestAliveOfASilentMember(t *testing.T) {
	server := zktest.Start(t, zktest.WithTickTime(2*time.Second))
	proxy := zktest.NewProxy(t, server.Addr())
	a := openLog(t, zklog.Config{Dialer: lasting(proxy.Addr())})
	require.NoError(t, a.log.Join(t.Context(), revision.Member{Name: "a", ID: 7}))
	b := openLog(t, zklog.Config{Dialer: lasting(server.Addr())})
	ask := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		alive, err := b.log.Alive(ctx, "a")
		require.NoError(t, err)
		return alive
	}
	require.True(t, ask())
	proxy.Freeze(zktest.ToServer)
	proxy.Freeze(zktest.ToClient)
	require.False(t, ask())
	require.False(t, ask(), "the question stands")
	proxy.Thaw(zktest.ToServer)
	proxy.Thaw(zktest.ToClient)
	require.Eventually(t, ask, 10*time.Second, 50*time.Millisecond)
	leftBehind(t, server.Addr(), "/zkine", "old", map[string]any{"answers_challenges": false})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	alive, err := b.log.Alive(ctx, "old")
	require.NoError(t, err)
	require.True(t, alive, "one of an earlier release cannot answer")
	alive, err = b.log.Alive(ctx, "nobody")
	require.NoError(t, err)
	require.False(t, alive)
}
