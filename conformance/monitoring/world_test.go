package monitoring

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

var allFlag = flag.Bool("all", false, "have promtool and Prometheus judge, too; they are built if they are missing")

// world is zkines on one ZooKeeper, a recorder of what they show, and the rules.
type world struct {
	t        *testing.T
	zkines   []*rigtest.Zkine
	clients  []*clientv3.Client
	recorder *Recorder
	promtool Promtool
	// own are zkine's rules, mixin etcd's as they are, adapted those that docs/metrics.md says hold here.
	own, mixin, adapted string
	root                string
	writes              int
}

// job has both words in it, so that etcd's selector and zkine's find it.
const job = "zkine-for-etcd"

// needsAll skips what promtool and Prometheus are needed for, or what takes long.
func needsAll(t *testing.T) {
	t.Helper()
	if !*allFlag {
		t.Skip("needs promtool and Prometheus; make monitoring runs it")
	}
}

// newWorld starts n zkines.
func newWorld(t *testing.T, zookeeper string, n int, args ...string) *world {
	t.Helper()
	needsAll(t)
	w := &world{t: t, promtool: Promtool{rigtest.Component(t, "promtool"), t.TempDir()}}
	w.root = zktest.Root(t)
	var targets []Target
	for i := range n {
		z := rigtest.StartOn(t, zookeeper, w.root, append([]string{"--metrics=extensive", "--zookeeper-session-timeout=20s"}, args...)...)
		w.zkines, w.clients = append(w.zkines, z), append(w.clients, dial(t, z.Endpoint))
		targets = append(targets, Target{job, fmt.Sprint("zkine-", i+1), z.Metrics})
	}
	w.recorder = NewRecorder(targets...)
	w.useRules()
	return w
}

var foundMixin = sync.OnceValues(func() (*Mixin, error) {
	jsonnet, err := rig.Component("jsonnet")
	if err != nil {
		return nil, err
	}
	return OpenMixin(context.Background(), jsonnet)
})

// openMixin finds etcd's mixin, once.
func openMixin(t *testing.T) *Mixin {
	t.Helper()
	rigtest.Component(t, "jsonnet") // built, if it is missing
	mixin, err := foundMixin()
	require.NoError(t, err)
	return mixin
}

func (w *world) useRules() {
	w.t.Helper()
	checkout, err := rig.Checkout()
	require.NoError(w.t, err)
	folder := filepath.Join(checkout, "deploy", "monitoring")
	w.own = filepath.Join(folder, "alerts.yaml")
	mixin := openMixin(w.t)
	w.mixin, _, err = mixin.WriteRules(w.t.Context(), alerts, w.t.TempDir())
	require.NoError(w.t, err)
	w.adapted, _, err = mixin.WriteRules(w.t.Context(), adaptedAlerts, w.t.TempDir(), folder)
	require.NoError(w.t, err)
}

const adaptedAlerts = `(import 'etcd-mixin.libsonnet').prometheusAlerts`

// minutes records some, with something done in each before its scrape.
func (w *world) minutes(n int, do func(ctx context.Context)) {
	w.t.Helper()
	for range n {
		ctx, cancel := context.WithTimeout(w.t.Context(), patience)
		if do != nil {
			do(ctx)
		}
		w.recorder.Scrape(ctx)
		cancel()
	}
}

// work is what clients do at rest: some writes and reads at each zkine that runs.
func (w *world) work(ctx context.Context) {
	w.t.Helper()
	for _, client := range w.clients {
		w.writes++
		_, err := client.Put(ctx, fmt.Sprint("key-", w.writes%20), "value")
		require.NoError(w.t, err)
		_, err = client.Get(ctx, "key-", clientv3.WithPrefix())
		require.NoError(w.t, err)
	}
}

// workThrough is work through a fault: what fails, fails.
func (w *world) workThrough(ctx context.Context) {
	for _, client := range w.clients {
		w.writes++
		client.Put(ctx, fmt.Sprint("key-", w.writes%20), "value") //nolint:errcheck // it may
		client.Get(ctx, "key-", clientv3.WithPrefix())            //nolint:errcheck // it may
	}
}

// tryPuts has so many writes fail at once: each is given up after a moment.
func (w *world) tryPuts(client *clientv3.Client, n int, limit time.Duration) {
	var tried sync.WaitGroup
	for i := range n {
		tried.Go(func() {
			ctx, cancel := context.WithTimeout(w.t.Context(), limit)
			defer cancel()
			client.Put(ctx, fmt.Sprint("tried-", i), "value") //nolint:errcheck // it is meant to fail
		})
	}
	tried.Wait()
}

// fires says which alerts of zkine's own rules and of etcd's fire now.
func (w *world) fires(own, etcds []string) {
	w.t.Helper()
	require.NoError(w.t, w.promtool.Firing(w.t.Context(), w.own, w.recorder, w.recorder.Now(), false, own...), "zkine's own")
	require.NoError(w.t, w.promtool.Firing(w.t.Context(), w.mixin, w.recorder, w.recorder.Now(), false, etcds...), "etcd's")
}

// amongThem is fires where a fault has consequences that depend on the machine: others may fire as well.
func (w *world) amongThem(own, etcds []string) {
	w.t.Helper()
	for rules, names := range map[string][]string{w.own: own, w.mixin: etcds} {
		expression := fmt.Sprintf(`group by (alertname) (ALERTS{alertstate="firing",alertname=~%q})`, strings.Join(names, "|"))
		require.NoError(w.t, w.promtool.Evaluates(w.t.Context(), rules, w.recorder, w.recorder.Now(), expression, alertSamples(names)))
	}
}

// hasBeenQuiet says that no alert has ever fired.
func (w *world) hasBeenQuiet() {
	w.t.Helper()
	for _, rules := range []string{w.own, w.mixin, w.adapted} {
		require.NoError(w.t, w.promtool.Firing(w.t.Context(), rules, w.recorder, w.recorder.Now(), true), rules)
	}
}

// randomText is text that does not compress well.
func randomText(n int) string {
	raw := make([]byte, n/2+1)
	rand.Read(raw)
	return hex.EncodeToString(raw)[:n]
}
