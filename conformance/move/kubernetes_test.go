package move

import (
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKubernetesMoves has a cluster of a few thousand objects move from etcd to zkine and back to etcd, by snapshots and
// live, with an API server that is started on each store.
func TestKubernetesMoves(t *testing.T) {
	long(t)
	j := depart(t, newEtcd(t))
	j.moveOn(t, "etcd to zkine, by a snapshot", wholeHistory, func(from *store) *store {
		into := newRoot(t)
		into.importInto(t, "--snapshot="+from.save(t))
		return into.serve(t)
	})
	j.moveOn(t, "zkine to etcd, by a snapshot", wholeHistory, func(from *store) *store {
		return restoreEtcd(t, from.export(t))
	})
	j.moveOn(t, "etcd to zkine, live", requireSameNow, func(from *store) *store {
		into := newRoot(t)
		into.importInto(t, "--endpoints="+from.endpoint)
		zkine := into.serve(t)
		requireSameHash(t, from, zkine)
		return zkine
	})
	j.moveOn(t, "zkine to etcd, by a snapshot again", requireSameNow, func(from *store) *store {
		return restoreEtcd(t, from.export(t))
	})
}

// TestKubernetesMovesWhileItWrites follows an etcd while an API server writes to it, until it is stopped; how long the
// cluster was without a store is printed.
func TestKubernetesMovesWhileItWrites(t *testing.T) {
	long(t)
	j := depart(t, newEtcd(t))
	into := newRoot(t)
	follow := into.startZkine(t, "import", "--endpoints="+j.at.endpoint, "--follow")
	stop := j.load(t)
	awaitFollowing(t, follow)
	followed := j.at.revision(t)
	eventually(t, func() error {
		if now := j.at.revision(t); now < followed+300 {
			return fmt.Errorf("the API server has written up to revision %d", now)
		}
		return nil
	})
	n := stop()
	j.objects = j.server.objects(t)
	began := time.Now()
	j.moveOn(t, fmt.Sprint("etcd to zkine, followed through ", n, " writes"), requireSameNow, func(*store) *store {
		cut := time.Now()
		follow.Signal(syscall.SIGTERM)
		code, err := follow.Wait(within(t))
		require.NoError(t, err)
		require.Zero(t, code, follow.Output())
		zkine := into.serve(t)
		t.Logf("cut over and served by zkine after %v", time.Since(cut).Round(time.Millisecond))
		return zkine
	})
	t.Logf("without a store for %v, most of it because the comparison waits for leases", time.Since(began).Round(time.Second))
}

func wholeHistory(t testing.TB, from, to *store) { requireSame(t, from, to, 1) }

// journey is a cluster that moves from store to store.
type journey struct {
	cluster *kube
	at      *store
	server  *apiserver // on it
	client  *mirror
	objects map[string]string // that it left with
}

// depart fills a store through a kube-apiserver.
func depart(t testing.TB, at *store) *journey {
	t.Helper()
	j := &journey{cluster: newKube(t), at: at, client: newMirror("/api/v1/configmaps")}
	j.server = j.cluster.on(t, at.endpoint)
	j.server.fill(t)
	j.objects = j.server.objects(t)
	j.client.follow(t, j.server.api)
	require.NoError(t, j.client.agrees(within(t)))
	return j
}

// load writes through the API server until it is told to stop, which returns how often.
func (j *journey) load(t testing.TB) (stop func() int) {
	end, writes := make(chan struct{}), 0
	var wait sync.WaitGroup
	wait.Go(func() {
		for k := kinds()[0]; ; writes++ {
			select {
			case <-end:
				return
			default:
				i := writes%900/10*10 + 1 // one that there is
				path := k.collection(i) + "/" + k.object(i)["metadata"].(object)["name"].(string)
				if err := j.server.relabel(within(t), path, strconv.Itoa(writes)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	return func() int { close(end); wait.Wait(); return writes }
}

// moveOn stops the API server, has the store move, and compares what is in both; then an API server is started on the
// new store, and what it and its client see is compared.
func (j *journey) moveOn(t testing.TB, how string, requireAlike func(t testing.TB, from, to *store), move func(from *store) *store) {
	t.Helper()
	j.client.stop()
	j.server.stop(t)
	j.at.awaitShortLeases(t)
	to := move(j.at)
	requireAlike(t, j.at, to)
	last := j.at.revision(t)
	j.at = to
	resumed := to.firstFrom(t, last+1)
	j.server = j.cluster.on(t, to.endpoint)
	requireSameObjects(t, j.objects, j.server.objects(t))
	j.client.follow(t, j.server.api)
	require.NoError(t, j.client.agrees(within(t)))
	// A watch that is taken up behind the last revision of the old store hears of the first one of the new.
	require.Equal(t, last+1, <-resumed)
	keys, rev := j.at.keys(t, 0)
	t.Logf("%s: %d keys and %d objects equal, at revision %d", how, len(keys), len(j.objects), rev)
}
