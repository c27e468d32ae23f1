package zklog_test

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// ours is a goroutine that runs, or was begun by, the log or ZooKeeper's client.
var ours = regexp.MustCompile(`zkine/revision(/zkclient|/zkroot|/zklog|/zkmember)?\.|go-zookeeper/zk\.`)

// running lists the goroutines of the log, its sessions, and ZooKeeper's client.
func running() (found []string) {
	buffer := make([]byte, 16<<20)
	for _, stack := range strings.Split(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		if ours.MatchString(stack) && !strings.Contains(stack, "testing.tRunner") {
			found = append(found, stack)
		}
	}
	return found
}

// nothingRuns allows what has ended a moment to be gone.
func nothingRuns(t *testing.T) {
	t.Helper()
	var left []string
	for range 20 {
		if left = running(); len(left) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond) // the scheduler's, after the last defer
	}
	require.Empty(t, strings.Join(left, "\n\n"))
}

// closeWithin closes a log, which must not wait for a silent server.
func closeWithin(t *testing.T, r *reader, limit time.Duration) {
	t.Helper()
	began := time.Now()
	r.close()
	require.Less(t, time.Since(began), limit)
	nothingRuns(t)
}

// TestNothingRunsAfterClose closes logs in all states that their connections can
// be in.
func TestNothingRunsAfterClose(t *testing.T) {
	const soon = 10 * time.Second // far from the session timeout of 20 s
	open := func(t *testing.T, servers ...string) *reader {
		return openLog(t, zklog.Config{Dialer: lasting(servers...), Root: zktest.Root(t)})
	}
	t.Run("server answers", func(t *testing.T) {
		nothingRuns(t)
		r := open(t, zktest.Shared(t).Addr(), zktest.Shared(t).Addr())
		r.append(batchOf(put("a", "b")))
		closeWithin(t, r, soon)
	})
	t.Run("server is frozen", func(t *testing.T) {
		proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
		r := open(t, proxy.Addr())
		proxy.Freeze(zktest.ToServer)
		proxy.Freeze(zktest.ToClient)
		ctx, cancel := context.WithCancel(t.Context())
		appended := make(chan error, 1)
		go func() {
			_, err := r.log.Append(ctx, batchOf(put("large", string(incompressible(800_000)))))
			appended <- err
		}()
		require.Eventually(t, func() bool { return r.log.Owing() > time.Second }, soon, time.Millisecond, "and looks for another server")
		cancel()
		require.ErrorIs(t, <-appended, revision.ErrUnknown)
		closeWithin(t, r, soon)
	})
	t.Run("a member's server is frozen", func(t *testing.T) {
		proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
		r := open(t, proxy.Addr())
		require.NoError(t, r.log.Join(t.Context(), revision.Member{Name: "a", ID: 1}))
		proxy.Freeze(zktest.ToClient)
		r.log.Pulse()
		require.Eventually(t, func() bool { return r.log.Owing() > 0 }, soon, time.Millisecond)
		closeWithin(t, r, soon)
	})
	t.Run("it has failed, and the server is frozen", func(t *testing.T) {
		proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
		r := open(t, proxy.Addr())
		proxy.Freeze(zktest.ToServer)
		appended := make(chan error, 1)
		go func() {
			_, err := r.log.Append(t.Context(), batchOf(put("a", "b")))
			appended <- err
		}()
		require.Eventually(t, func() bool { return r.log.Owing() > 0 }, soon, time.Millisecond)
		cause := errors.New("the test's")
		require.ErrorIs(t, r.log.Distrust(cause), cause)
		began := time.Now()
		if err := <-appended; !errors.Is(err, cause) { // what is owed may be older than the append
			require.ErrorIs(t, err, revision.ErrUnknown)
		}
		require.Less(t, time.Since(began), soon)
		closeWithin(t, r, soon)
	})
	t.Run("another server has taken over", func(t *testing.T) {
		proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
		r := open(t, proxy.Addr())
		closed := proxy.Connections()
		proxy.Freeze(zktest.ToClient)
		require.Eventually(t, func() bool { return proxy.Connections() > closed }, soon, time.Millisecond)
		proxy.Thaw(zktest.ToClient)
		r.append(batchOf(put("a", "b")))
		closeWithin(t, r, soon)
	})
	t.Run("no server answers", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := zklog.Open(ctx, zklog.Config{Dialer: lasting(zktest.Hung(t), zktest.Hung(t), "127.0.0.1:1"), Root: zktest.Root(t), Log: quiet()})
		require.ErrorIs(t, err, revision.ErrUnavailable)
		require.Less(t, time.Since(began), soon)
		nothingRuns(t)
	})
}
