package zklog_test

import (
	"context"
	"errors"
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
	require.True(t, isAlive(t, b, "a"))

	const multi = 14
	asked := proxy.Requests(multi)
	type outcome struct {
		alive bool
		err   error
	}
	out := make(chan outcome)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		alive, err := b.log.Alive(ctx, "a")
		out <- outcome{alive, err}
	}()
	proxy.AwaitRequests(multi, asked+1)
	proxy.Freeze(zktest.ToClient)
	defer proxy.Thaw(zktest.ToClient)
	o := <-out
	require.False(t, o.err == nil && !o.alive, "a lives; ZooKeeper did not answer")
}

// isAlive asks a member, which has all the time that a busy machine takes to answer.
func isAlive(t *testing.T, of *reader, name string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	alive, err := of.log.Alive(ctx, name)
	require.NoError(t, err)
	return alive
}

// A member whose wire is cut is found silent, and gives a sign of life again.
func TestAliveOfASilentMember(t *testing.T) {
	server := zktest.Start(t, zktest.WithTickTime(2*time.Second))
	proxy := zktest.NewProxy(t, server.Addr())
	a := openLog(t, zklog.Config{Dialer: lasting(proxy.Addr())})
	require.NoError(t, a.log.Join(t.Context(), revision.Member{Name: "a", ID: 7}))
	b := openLog(t, zklog.Config{Dialer: lasting(server.Addr())})
	require.True(t, isAlive(t, b, "a"))
	proxy.Freeze(zktest.ToServer)
	proxy.Freeze(zktest.ToClient)
	isSilent(t, b, "a")
	isSilent(t, b, "a") // the question stands
	proxy.Thaw(zktest.ToServer)
	proxy.Thaw(zktest.ToClient)
	// It may put its znode up anew, on another session.
	require.Eventually(t, func() bool { return isAlive(t, b, "a") }, time.Minute, 50*time.Millisecond)
	leftBehind(t, server.Addr(), "/zkine", "old", map[string]any{"answers_challenges": false})
	require.True(t, isAlive(t, b, "old"), "one of an earlier release cannot answer")
	require.False(t, isAlive(t, b, "nobody"))
}

// isSilent asks a member that gives no sign of life, again where a busy ZooKeeper was too
// slow for that to be known.
func isSilent(t *testing.T, of *reader, name string) {
	t.Helper()
	ask := func() (bool, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return of.log.Alive(ctx, name)
	}
	alive, err := ask()
	for began := time.Now(); errors.Is(err, revision.ErrUnavailable) && time.Since(began) < time.Minute; {
		alive, err = ask()
	}
	require.NoError(t, err)
	require.False(t, alive)
}
