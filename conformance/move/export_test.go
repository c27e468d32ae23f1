package move

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestExportToASnapshot has zkine write a file, which etcdutl makes an etcd of: the same in all that a client can see.
func TestExportToASnapshot(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	zkine := root.serve(t)
	f := newFiller(t)
	f.grant(t, zkine, 5)
	f.write(t, zkine, 300)
	require.NoError(t, first(zkine.Compact(within(t), 100)))
	f.write(t, zkine, 100)
	addUsers(t, zkine, false)

	path := filepath.Join(t.TempDir(), "out.db")
	r := root.zkine(t, "export", "--snapshot="+path)
	require.Zero(t, r.code, r)
	require.Contains(t, r.out, "read back and right")
	requireSame(t, zkine, restoreEtcd(t, path), 100)

	requireOneLine(t, root.zkine(t, "export", "--snapshot="+path), path, "there is such a file already")
	requireOneLine(t, root.zkine(t, "export", "--snapshot=/nowhere/out.db"), "/nowhere/out.db", "no such file or directory — name a file in a folder that is there")
	requireOneLine(t, newRoot(t).zkine(t, "export", "--snapshot="+path+"2"), "no zkine data")
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing half done")
}

// values are all keys of a store, with values and leases.
func (s *store) values(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	keys, _ := s.keys(t, 0)
	for _, kv := range keys {
		all[string(kv.Key)] = fmt.Sprintf("%x lease %x", kv.Value, kv.Lease)
	}
	return all
}

// TestExportToAnEtcd fills an empty etcd by its API, in two goes, and lets the same users in with the same passwords.
func TestExportToAnEtcd(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	zkine := root.serve(t)
	f := newFiller(t)
	f.grant(t, zkine, 5)
	f.write(t, zkine, 500)
	want, leases := zkine.values(t), zkine.leases(t)
	addUsers(t, zkine, true)

	etcd := newEtcd(t)
	to := "--endpoints=" + etcd.endpoint
	r := root.zkine(t, "export", to, "--dry-run")
	require.Zero(t, r.code, r)
	require.Contains(t, r.out, fmt.Sprintf("would write %d keys", len(want)))
	require.EqualValues(t, 1, etcd.revision(t))

	// What was killed goes on. It is killed once the first keys are there, wherever it is then.
	export := root.startZkine(t, "export", to)
	eventually(t, func() error {
		if etcd.revision(t) == 1 {
			return fmt.Errorf("no key has been written")
		}
		return nil
	})
	export.Kill()
	if status, err := etcd.AuthStatus(within(t)); err == nil && !status.Enabled {
		r = root.zkine(t, "export", to)
		require.Zero(t, r.code, r)
		require.Contains(t, r.out, "are the same on both sides")
		require.Contains(t, r.out, "users count from now on")
	}
	asRoot := etcd.login(t, "root", "root's secret")
	require.Equal(t, want, asRoot.values(t))
	requireSameLeases(t, leases, asRoot.leases(t))
	requireUsers(t, etcd)
	requireOneLine(t, root.zkine(t, "export", to), "--user")
}

// requireUsers checks what addUsers has made.
func requireUsers(t testing.TB, s *store) {
	t.Helper()
	ann := s.login(t, "ann", "ann's secret")
	require.NoError(t, first(ann.Get(within(t), "/registry/counter")))
	require.ErrorContains(t, first(ann.Put(within(t), "/registry/counter", "x")), "permission denied")
	require.ErrorContains(t, first(ann.Get(within(t), "/bootstrap/1")), "permission denied")
	_, err := clientv3.New(clientv3.Config{Endpoints: []string{s.endpoint}, Username: "ann", Password: "another"})
	require.ErrorContains(t, err, "authentication failed")
	users, err := s.login(t, "root", "root's secret").UserList(within(t))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"root", "ann", "cn"}, users.Users)
}

// TestExportRefusesATargetThatIsNotEmpty leaves it as it is.
func TestExportRefusesATargetThatIsNotEmpty(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	zkine := root.serve(t)
	newFiller(t).write(t, zkine, 20)
	for name, spoil := range map[string]func(context.Context, *store) error{
		"keys":  func(ctx context.Context, s *store) error { return first(s.Put(ctx, "/registry/counter", "other")) },
		"lease": func(ctx context.Context, s *store) error { return first(s.Grant(ctx, 1000)) },
		"users": func(ctx context.Context, s *store) error { return first(s.UserAdd(ctx, "ann", "x")) },
		"roles": func(ctx context.Context, s *store) error { return first(s.RoleAdd(ctx, "ann")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			etcd := newEtcd(t)
			require.NoError(t, spoil(within(t), etcd))
			before := etcd.values(t)
			r := root.zkine(t, "export", "--endpoints="+etcd.endpoint)
			requireOneLine(t, r, etcd.endpoint, "the target is not empty")
			require.Equal(t, before, etcd.values(t))
		})
	}
	requireOneLine(t, root.zkine(t, "export", "--endpoints="+root.zooKeeper, "--dial-timeout=1s"), root.zooKeeper, "nothing that speaks the etcd v3 API")
	requireOneLine(t, root.zkine(t, "export", "--endpoints=127.0.0.1:1", "--snapshot=x"), "one target at a time")
	requireOneLine(t, root.zkine(t, "export"), "no target is named")
}
