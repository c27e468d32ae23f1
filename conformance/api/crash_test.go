package api

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestKill9UnderLoad kills a zkine at random moments. The watch of clientv3 goes on by itself.
func TestKill9UnderLoad(t *testing.T) {
	t.Parallel() // it waits, most of the time
	random, z := newRand(t), rigtest.Start(t)
	l := startLoad(t, 8, z.Endpoint)
	watch := l.watch()
	for range 4 {
		l.await(50 + random.IntN(300))
		z.Kill()
		z.Start()
	}
	l.await(50)
	l.stop()
	l.onlyUnavailable()
	l.check(watch)
}

// TestKill9OfOneOfTwo kills a zkine whose clients know of another one, with the same data.
func TestKill9OfOneOfTwo(t *testing.T) {
	t.Parallel() // it waits, most of the time
	random := newRand(t)
	zookeeper, root := zktest.Shared(t).Addr(), zktest.Root(t)
	victim, other := rigtest.StartOn(t, zookeeper, root), rigtest.StartOn(t, zookeeper, root)
	l := startLoad(t, 4, victim.Endpoint, other.Endpoint)
	watch := l.watch()
	for range 2 {
		l.await(50 + random.IntN(200))
		victim.Kill()
		l.await(100) // by way of the other one
		victim.Start()
	}
	l.await(50)
	l.stop()
	l.onlyUnavailable()
	l.check(watch)
}

// TestSIGTERMDrains stops a zkine under load: it ends in peace, calls under way are answered or end Unavailable, and
// streams that have no end are told why they end.
func TestSIGTERMDrains(t *testing.T) {
	t.Parallel() // it waits, most of the time
	z := rigtest.Start(t)
	idle := openWatch(t, z.Endpoint)
	idle.create(putWatch("idle"))
	l := startLoad(t, 8, z.Endpoint)
	watch := l.watch()
	for range 2 {
		l.await(100)
		code, err := z.Process.Stop(within(t))
		require.NoError(t, err)
		require.Zero(t, code, z.Process.Output())
		require.NoError(t, z.CheckOutput())
		z.Start()
	}
	_, err := idle.stream.Recv()
	requireError(t, codes.Unavailable, "etcdserver: server stopped", err)
	l.await(50)
	l.stop()
	l.onlyUnavailable()
	l.check(watch)
}

// TestASecondSignalDoesNotLoseWrites ends a zkine that drains.
func TestASecondSignalDoesNotLoseWrites(t *testing.T) {
	t.Parallel() // it waits, most of the time
	z := rigtest.Start(t)
	l := startLoad(t, 4, z.Endpoint)
	watch := l.watch()
	l.await(100)
	z.Process.Signal(syscall.SIGTERM)
	z.Process.Signal(syscall.SIGKILL)
	_, err := z.Process.Wait(within(t))
	require.NoError(t, err)
	z.Start()
	l.await(50)
	l.stop()
	l.onlyUnavailable()
	l.check(watch)
}
