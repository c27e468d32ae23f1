package move

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// healed is how long a running kube-apiserver may take until all that it shows is what is in the store.
const healed = 60 * time.Second

// bump is what etcd's documents say to raise a restored revision by.
const bump = "--bump-revision=1000000000"

// TestRunningAPIServerHeals takes a backup, goes on writing, and has the address that a kube-apiserver reaches its store
// at lead to what was restored from the backup. The API server is not told and not restarted. Since the restored store
// is above every revision that was seen, and says "compacted" to those, its watches, lists and gets are right at once.
//
// A store that comes back at a lower revision is what must never be: docs/migration.md says what happens then.
func TestRunningAPIServerHeals(t *testing.T) {
	long(t)
	var regretted *store
	etcdctl := func(t testing.TB, from *store) string { return from.save(t) }
	for _, way := range []struct {
		name    string
		from    func(t testing.TB) *store
		backup  func(t testing.TB, from *store) string
		restore func(t testing.TB, backup string) *store
	}{
		// etcd's own way, which says that the test asks for what can be had.
		{"etcd to etcd", newEtcd, etcdctl, func(t testing.TB, backup string) *store {
			return restoreEtcd(t, backup, bump, "--mark-compacted")
		}},
		{"zkine to etcd", newZkine, etcdctl, func(t testing.TB, backup string) *store {
			return restoreEtcd(t, backup, bump, "--mark-compacted")
		}},
		{"etcd to zkine", newEtcd, etcdctl, func(t testing.TB, backup string) *store {
			into := newRoot(t)
			into.importInto(t, "--snapshot="+backup, bump, "--mark-compacted")
			return into.serve(t)
		}},
		// zkine's own way back raises without being asked.
		{"zkine to zkine", newZkine, takeBackup, func(t testing.TB, backup string) *store { return restoreBackup(t, backup) }},
		{"zkine back to a revision", func(t testing.TB) *store { regretted = newZkine(t); return regretted }, func(t testing.TB, from *store) string {
			return fmt.Sprint(from.revision(t))
		}, func(t testing.TB, revision string) *store {
			return restoreBackup(t, takeBackup(t, regretted), "--to-revision="+revision)
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			from := way.from(t)
			road := newJunction(t, from.endpoint)
			server := newKube(t).on(t, road.endpoint)
			maps := newMirror(configmaps)
			maps.follow(t, server.api)
			writeMaps(t, server, 0, 200)
			require.NoError(t, maps.agrees(within(t)))
			backup := way.backup(t, from)
			then := storedVersions(t, from)

			// What the backup does not have: objects that are new, changed, and gone.
			writeMaps(t, server, 200, 260)
			g := errgroup.Group{}
			for i := range 40 {
				g.Go(func() error { return server.relabel(within(t), mapPath(i), "later") })
				g.Go(func() error { return server.do(within(t), "DELETE", mapPath(100+i), nil, nil) })
			}
			require.NoError(t, g.Wait())
			require.NoError(t, maps.agrees(within(t)))
			seen := from.revision(t)

			to := way.restore(t, backup)
			require.Greater(t, to.revision(t), seen)
			road.lead(to.endpoint)
			began := time.Now()
			require.NoError(t, server.heals(t, maps, to, then))
			t.Logf("right after %v, of which the client's watch took %d lists", time.Since(began).Round(time.Millisecond), maps.lists)

			// And it goes on: what is written now arrives everywhere.
			writeMaps(t, server, 300, 320)
			require.NoError(t, maps.agrees(within(t)))
			require.Len(t, storedVersions(t, to), 220)
		})
	}
}

// takeBackup has zkine make a backup file of a root that is served.
func takeBackup(t testing.TB, from *store) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup")
	mustZkine(t, append(append([]string{"backup"}, from.root.flags()...), path)...)
	return path
}

// restoreBackup makes a root of it, and serves that.
func restoreBackup(t testing.TB, path string, flags ...string) *store {
	t.Helper()
	into := newRoot(t)
	mustZkine(t, append(append([]string{"restore", "--archive=" + path}, into.flags()...), flags...)...)
	return into.serve(t)
}

func newEtcd(t testing.TB) *store  { return startEtcd(t, t.TempDir()) }
func newZkine(t testing.TB) *store { return newRoot(t).serve(t) }

const configmaps = "/api/v1/namespaces/default/configmaps"

func mapPath(i int) string { return fmt.Sprintf("%s/configmap-%04d", configmaps, i) }

// writeMaps creates some ConfigMaps.
func writeMaps(t testing.TB, a *apiserver, from, to int) {
	t.Helper()
	g, k := errgroup.Group{}, kinds()[0]
	g.SetLimit(8)
	for i := from; i < to; i++ {
		g.Go(func() error { return a.create(within(t), configmaps, k.object(i)) })
	}
	require.NoError(t, g.Wait())
}

// storedVersions are the revisions of the ConfigMaps in the store itself.
func storedVersions(t testing.TB, s *store) map[string]string {
	t.Helper()
	const prefix = "/registry/configmaps/default/"
	all := map[string]string{}
	keys, _ := s.keys(t, 0, prefix)
	for _, kv := range keys {
		all["default/"+string(kv.Key[len(prefix):])] = fmt.Sprint(kv.ModRevision)
	}
	return all
}

// agrees waits until the mirror shows what a consistent list does.
func (m *mirror) agrees(ctx context.Context) error {
	for {
		l, err := m.server.list(ctx, m.path)
		if err != nil {
			return err
		}
		want, err := l.versions()
		if err != nil {
			return err
		}
		if err = m.shows(want); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// heals waits until everything that a client may ask shows what is in the store, which has the objects that were there
// when the backup was taken, and none other.
func (a *apiserver) heals(t testing.TB, m *mirror, s *store, then map[string]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), healed)
	defer cancel()
	stored := storedVersions(t, s)
	for name := range then {
		if stored[name] == "" {
			return fmt.Errorf("%s was not restored", name)
		}
	}
	for {
		err := a.shows(ctx, stored)
		if err == nil {
			err = m.shows(stored)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// shows is an error unless lists from the cache and from the store, and gets, all show these.
func (a *apiserver) shows(ctx context.Context, want map[string]string) error {
	for _, parameter := range []string{"", "resourceVersion=0", "limit=500"} {
		l, err := a.list(ctx, configmaps, parameter)
		if err != nil {
			return err
		}
		got, err := l.versions()
		if err != nil {
			return err
		}
		if !maps.Equal(want, got) {
			return fmt.Errorf("a list with %q shows %d objects at revision %s, which are not the %d of the store", parameter, len(got), l.version, len(want))
		}
	}
	for i := range 300 {
		err := a.get(ctx, mapPath(i), nil)
		_, there := want[fmt.Sprintf("default/configmap-%04d", i)]
		if there != (err == nil) || err != nil && !answered(err, 404) {
			return fmt.Errorf("get %s: %v, though %v in the store", mapPath(i), err, there)
		}
	}
	return nil
}
