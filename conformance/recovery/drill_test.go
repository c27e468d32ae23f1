package recovery

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
)

const patience = 3 * time.Minute

var allFlag = flag.Bool("all", false, "load for minutes, with the archive's default interval: make drill")

func TestMain(m *testing.M) { zktest.Main(m) }

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// acked is a write that a client was told of.
type acked struct {
	key, value string
	revision   int64
	at         time.Time
}

// load writes by several clients until its context ends, each key once.
type load struct {
	mu   sync.Mutex
	all  []acked
	stop context.CancelFunc
	over sync.WaitGroup
}

const clients = 8

func startLoad(t *testing.T, endpoint string) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{stop: cancel}
	t.Cleanup(func() { cancel(); l.over.Wait() })
	for i := range clients {
		c := connect(t, endpoint)
		l.over.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				a := acked{key: fmt.Sprintf("/load/%d/%08d", i, n), value: fmt.Sprint("value ", n)}
				resp, err := c.Put(ctx, a.key, a.value)
				if err != nil {
					continue // of unknown outcome: the log may have it or not
				}
				a.revision, a.at = resp.Header.Revision, time.Now()
				l.mu.Lock()
				l.all = append(l.all, a)
				l.mu.Unlock()
			}
		})
	}
	return l
}

func connect(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop(), DialTimeout: patience, MaxCallRecvMsgSize: 1 << 30})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// ensemble starts ZooKeepers with their data in a folder.
func ensemble(t *testing.T, servers int, folder string) *rig.ZooKeepers {
	t.Helper()
	z, err := rig.StartZooKeepers(within(t), servers, embedded.Config{DataDir: folder})
	require.NoError(t, err)
	t.Cleanup(z.Kill)
	return z
}

func startZkine(t *testing.T, z *rig.ZooKeepers, args ...string) *rig.Zkine {
	t.Helper()
	zkine, err := rig.NewZkine(rig.ZkineConfig{Program: rigtest.Program(t), Name: "drilled", ZooKeeper: z.Addresses(), DataDir: t.TempDir(), Args: args})
	require.NoError(t, err)
	t.Cleanup(func() {
		zkine.Kill()
		if t.Failed() {
			t.Logf("zkine printed:\n%.10000s", zkine.Output())
		}
	})
	require.NoError(t, zkine.Up(within(t)))
	return zkine
}

// TestDrill loses everything but the archive.
func TestDrill(t *testing.T) {
	interval, during, servers := 2*time.Second, 5*time.Second, 1
	if *allFlag {
		interval, during, servers = 30*time.Second, 2*time.Minute, 3 // 30 s is the default
	}
	folder, archive := t.TempDir(), "--archive=file://"+filepath.Join(t.TempDir(), "archive")
	old := ensemble(t, servers, folder)
	zkine := startZkine(t, old, archive, "--archive-interval="+interval.String())
	l := startLoad(t, zkine.Endpoint)
	<-time.After(during)

	// On a busy machine rounds take longer than the interval: by how much, the zkine says.
	asked := time.Now()
	lag := archiveLag(t, zkine)
	lost := time.Now()
	old.Kill()
	zkine.Kill()
	l.stop()
	l.over.Wait()
	require.NoError(t, os.RemoveAll(folder))

	fresh := ensemble(t, servers, t.TempDir())
	began := time.Now()
	program := rigtest.Program(t)
	out, err := exec.CommandContext(within(t), program, "restore", archive, "--zookeeper="+fresh.Addresses()).CombinedOutput()
	require.NoError(t, err, "%s", out)
	took := time.Since(began)
	number := func(pattern string) int64 {
		found := regexp.MustCompile(pattern).FindSubmatch(out)
		require.NotNil(t, found, "%s", out)
		n, err := strconv.ParseInt(string(found[1]), 10, 64)
		require.NoError(t, err)
		return n
	}
	reached, raised := number(`as it was at revision (\d+)`), number(`raised to (\d+),`)
	c := connect(t, startZkine(t, fresh).Endpoint)
	judge(t, c, l.all, reached, raised)

	missing, loss := 0, time.Duration(0)
	for _, a := range l.all {
		if a.revision > reached {
			missing++
			loss = max(loss, lost.Sub(a.at))
		}
	}
	t.Logf("%d writes were acknowledged in %v; restored in %v up to revision %d; %d are lost, the oldest was acknowledged %v before the loss (interval %v)",
		len(l.all), during, took.Round(time.Millisecond), reached, missing, loss.Round(time.Millisecond), interval)
	allowed := max(interval, lag+lost.Sub(asked))
	require.LessOrEqual(t, loss, allowed, "more is lost than the interval allows, and the zkine said (it lags by %v)", lag)
	require.Greater(t, len(l.all), missing, "the drill has restored nothing")
}

// archiveLag is for how long slots may have been in the root without being in the archive, as a zkine says.
func archiveLag(t *testing.T, z *rig.Zkine) time.Duration {
	t.Helper()
	_, text, err := rig.Probe(within(t), "http://"+z.Metrics+"/metrics")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^zkine_archive_lag_seconds (.*)$`).FindStringSubmatch(text)
	require.NotNil(t, found)
	seconds, err := strconv.ParseFloat(found[1], 64)
	require.NoError(t, err)
	return time.Duration(seconds * float64(time.Second))
}

// judge compares what there is with what was acknowledged: all up to a revision, and nothing later.
func judge(t *testing.T, c *clientv3.Client, all []acked, reached, raised int64) {
	t.Helper()
	resp, err := c.Get(within(t), "/load/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Equal(t, raised, resp.Header.Revision)
	there := map[string]string{}
	for _, kv := range resp.Kvs {
		there[string(kv.Key)] = string(kv.Value)
		require.LessOrEqual(t, kv.ModRevision, reached)
	}
	newest := int64(0)
	for _, a := range all {
		value, found := there[a.key]
		require.Equal(t, a.revision <= reached, found, "%s of revision %d", a.key, a.revision)
		if found {
			require.Equal(t, a.value, value)
		}
		newest = max(newest, a.revision)
	}
	require.Greater(t, raised, newest, "the revision is above all that was acknowledged")
	watch := <-c.Watch(within(t), "/load/", clientv3.WithPrefix(), clientv3.WithRev(newest))
	require.ErrorIs(t, watch.Err(), rpctypes.ErrCompacted)
}
