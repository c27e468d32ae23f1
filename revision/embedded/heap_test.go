package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/embedded"
)

func TestHeapForIsTheInverseOfCapacity(t *testing.T) {
	for _, request := range []int{64 << 10, 900 << 10, 64 << 20} {
		for data := int64(1 << 20); data < 1<<40; data *= 3 {
			heap := embedded.HeapFor(data, request)
			require.GreaterOrEqual(t, embedded.Capacity(heap, request), data)
			require.Less(t, embedded.Capacity(heap-16, request), data)
			// Twice the data, and all transactions that are kept, leave something.
			heap2 := embedded.HeapWithRequestsFor(data, request)
			require.GreaterOrEqual(t, embedded.Capacity(heap2, min(request, embedded.RequestFor(heap2))), data)
			require.LessOrEqual(t, heap2, heap)
			require.Less(t, 2*data+1503*int64(request), heap/5*4)
		}
	}
	require.Zero(t, embedded.Capacity(embedded.MinHeap, 1<<20), "no room is no negative room")
}

// fill makes znodes of 900 kB, so many MiB in all.
func fill(t *testing.T, addr string, mib int) {
	t.Helper()
	conn := connect(t, addr)
	defer conn.Close()
	data := make([]byte, 900_000)
	for i := range mib * (1 << 20) / len(data) {
		_, err := conn.Create(fmt.Sprintf("/n%d", i), data, 0, zk.WorldACL(zk.PermAll))
		require.NoError(t, err)
	}
}

// TestDataThatOutgrewItsHeapIsLoadedWithMore leaves data that a small heap
// cannot load, as a release that gave more did.
func TestDataThatOutgrewItsHeapIsLoadedWithMore(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Heap = 512 << 20
	s := start(t, cfg)
	fill(t, s.Addr(), 100)
	held, err := s.DataBytes(within(t))
	require.NoError(t, err)
	require.InDelta(t, 100<<20, held, 1<<20)
	require.NoError(t, s.Stop(within(t)))

	logger, said := logrustest.NewNullLogger()
	cfg.Heap, cfg.Logger = 64<<20, logger
	_, err = embedded.Start(within(t), cfg)
	require.ErrorIs(t, err, embedded.ErrExited)
	require.ErrorContains(t, err, "OutOfMemoryError")
	require.Contains(t, messages(said), "ZooKeeper ran out of heap, which is as large as it may be here")

	said.Reset()
	cfg.MaxHeap = 512 << 20
	s = start(t, cfg)
	require.Contains(t, messages(said), "ZooKeeper ran out of heap; starting it again with 128 MiB")
	again, err := s.DataBytes(within(t))
	require.NoError(t, err)
	require.InDelta(t, held, again, 1<<10)
	found, _, err := connect(t, s.Addr()).Exists("/n0")
	require.NoError(t, err)
	require.True(t, found)
}

// TestAServerThatIsFilledBeyondItsHeapGoesOnWithMore fills it while it serves.
func TestAServerThatIsFilledBeyondItsHeapGoesOnWithMore(t *testing.T) {
	logger, said := logrustest.NewNullLogger()
	cfg := config(t.TempDir())
	cfg.Heap, cfg.MaxHeap, cfg.Logger = 64<<20, 1<<30, logger
	s := start(t, cfg)
	conn := connect(t, s.Addr())
	data := make([]byte, 900_000)
	require.Eventually(t, func() bool {
		_, _ = conn.Create("/n", data, zk.FlagSequence, zk.WorldACL(zk.PermAll)) // it dies of one of them
		return strings.Contains(messages(said), "ran out of heap; starting it again")
	}, patience, 1)
	require.NoError(t, s.Ready(within(t)))
	held, err := s.DataBytes(within(t))
	require.NoError(t, err)
	require.Greater(t, held, int64(5<<20))
}

func messages(said *logrustest.Hook) string {
	var b strings.Builder
	for _, e := range said.AllEntries() {
		if e.Level <= logrus.WarnLevel {
			b.WriteString(e.Message + "\n")
		}
	}
	return b.String()
}

func TestTheNewestSnapshotTellsTheSize(t *testing.T) {
	dir := t.TempDir()
	require.Zero(t, embedded.DataOnDisk(dir))
	folder := filepath.Join(dir, "data", "version-2")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	for name, size := range map[string]int64{"snapshot.9": 300, "snapshot.1a": 200, "snapshot.ff.tmp": 5, "log.ff": 1000} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), make([]byte, size), 0o600))
	}
	require.EqualValues(t, 200, embedded.DataOnDisk(dir))
	// A real one.
	cfg := config(t.TempDir())
	s := start(t, cfg)
	fill(t, s.Addr(), 10)
	require.NoError(t, s.Stop(within(t)))
	s = start(t, cfg) // a start takes a snapshot
	require.NoError(t, s.Stop(within(t)))
	require.InDelta(t, 10<<20, embedded.DataOnDisk(cfg.DataDir), 1<<20)
}
