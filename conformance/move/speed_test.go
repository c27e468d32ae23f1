package move

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/embedded"
)

const (
	speedObjects = 100_000
	speedBytes   = 3 << 10 // of a value
	speedRounds  = 3
	// speedLimit is how many times as long as etcd's own restore and start an import may take, memoryLimit how much
	// memory it may have for a byte of keys and values.
	speedLimit  = 1.5
	memoryLimit = 3.0
)

// TestSpeed sets an import of a live etcd beside what etcd's own tools take to have the same served by another etcd:
// etcdutl snapshot restore, and the start. All of them sync what they write.
func TestSpeed(t *testing.T) {
	long(t)
	source := newEtcd(t)
	raw := source.load(t)
	snapshot := source.save(t)
	var theirs, ours, withStart []time.Duration
	var peak int64
	for range speedRounds {
		theirs = append(theirs, restoreAndStart(t, snapshot))
		took, began, most := importAndStart(t, source)
		ours, withStart, peak = append(ours, took), append(withStart, began), max(peak, most)
	}
	restored, imported, started := median(theirs), median(ours), median(withStart)
	ratio, memory := imported.Seconds()/restored.Seconds(), float64(peak)/float64(raw)
	t.Logf("%d objects, %d MB of keys and values", speedObjects, raw>>20)
	t.Logf("etcdutl snapshot restore and etcd's start: %v %v", restored, theirs)
	t.Logf("zkine import --endpoints: %v %v; with zkine's start %v", imported, ours, started)
	t.Logf("time: %.2f of etcd's (at most %v); with zkine's start %.2f", ratio, speedLimit, started.Seconds()/restored.Seconds())
	t.Logf("memory: %d MB at most, %.2f of the raw bytes (at most %v)", peak>>20, memory, memoryLimit)
	require.LessOrEqual(t, ratio, speedLimit)
	require.LessOrEqual(t, memory, memoryLimit)
}

// load puts the objects and returns the bytes of all keys and values.
func (s *store) load(t testing.TB) (raw int64) {
	t.Helper()
	g := errgroup.Group{}
	g.SetLimit(64)
	for i := range speedObjects {
		key := speedKey(i)
		raw += int64(len(key) + speedBytes)
		g.Go(func() error {
			_, err := s.Do(within(t), clientv3.OpPut(key, speedValue(i)))
			return err
		})
	}
	require.NoError(t, g.Wait())
	return raw
}

func speedKey(i int) string { return fmt.Sprintf("/registry/pods/team-%03d/pod-%06d", i%200, i) }

// speedValue is as compressible as an object of Kubernetes is: names of fields, which all have, around what is its own.
func speedValue(i int) string {
	random := rand.New(rand.NewPCG(uint64(i), 3))
	own := make([]byte, 24)
	var b strings.Builder
	for b.Len() < speedBytes {
		for j := range own {
			own[j] = byte(random.Uint32())
		}
		fmt.Fprintf(&b, `{"f:metadata":{"f:labels":{".":{},"f:app":{}},"uid":"%s"},"f:status":{"f:conditions":{"lastTransitionTime":"%d"}}}`,
			hex.EncodeToString(own), random.Uint32())
	}
	return b.String()[:speedBytes]
}

// restoreAndStart is how long it takes from a snapshot to an etcd's first answer.
func restoreAndStart(t testing.TB, snapshot string) time.Duration {
	t.Helper()
	began := time.Now()
	dir := restoreFolder(t, snapshot)
	e := describeEtcd(t, dir)
	require.NoError(t, e.Up(within(t)))
	took := time.Since(began)
	e.Kill()
	require.NoError(t, os.RemoveAll(dir))
	return took
}

// importAndStart is how long an import of a live store takes, how long with the start of a zkine on it, and how much
// memory it had at most. ZooKeeper has begun before, as an ensemble has.
func importAndStart(t testing.TB, source *store) (took, started time.Duration, peak int64) {
	t.Helper()
	dir := t.TempDir()
	z, err := rig.StartZooKeepers(within(t), 1, embedded.Config{DataDir: dir})
	require.NoError(t, err)
	defer func() { z.Kill(); require.NoError(t, os.RemoveAll(dir)) }()
	into := root{z.Addresses(), "/moved"}
	began := time.Now()
	r := into.importInto(t, "--endpoints="+source.endpoint)
	to := into.serve(t)
	started = time.Since(began)
	count, err := to.Get(within(t), "/registry/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	require.EqualValues(t, speedObjects, count.Count)
	to.process.Kill()
	return r.took, started, r.peak
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2].Round(time.Millisecond)
}
