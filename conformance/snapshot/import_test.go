package snapshot

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// imported is a zkine on a root that zkine import has made of a snapshot.
func imported(t *testing.T, path string, flags ...string) *store {
	t.Helper()
	root := zktest.Root(t)
	out, err := importInto(t, root, path, flags...)
	require.NoError(t, err, out)
	return newZkineOn(t, root)
}

func importInto(t *testing.T, root, path string, flags ...string) (string, error) {
	t.Helper()
	args := append([]string{"import", "--snapshot=" + path, "--zookeeper=" + zktest.Shared(t).Addr(), "--zookeeper-root=" + root}, flags...)
	program := rigtest.Program(t)
	out, err := exec.CommandContext(within(t), program, args...).CombinedOutput()
	t.Logf("zkine %v\n%s", args, out)
	return string(out), err
}

// restoredAs is restore with flags.
func restoredAs(t *testing.T, path string, flags ...string) *store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	run(t, "etcdutl", append([]string{"snapshot", "restore", path, "--data-dir=" + dir, "--name=" + memberName,
		"--initial-cluster=" + memberName + "=" + restoredPeer, "--initial-advertise-peer-urls=" + restoredPeer}, flags...)...)
	return newEtcd(t, dir)
}

// What zkine imports is what an etcd serves that was restored from the same snapshot; and goes on as it does.
func TestImport(t *testing.T) {
	for _, compactions := range []int{0, 2} {
		t.Run(fmt.Sprint("compactions=", compactions), func(t *testing.T) {
			source := newEtcd(t, t.TempDir())
			w := newWriter(t, source)
			w.write(60)
			w.users()
			floor := int64(0)
			for range compactions {
				floor = source.current(t) - w.random.Int64N(20)
				w.compact(floor)
				w.write(30)
			}
			path := source.save(t)
			e, z := restore(t, path), imported(t, path)
			requireSame(t, e, z, floor)
			requireSameUsers(t, e, z)
			w.stores = []*store{e, z}
			w.write(30)
			requireSame(t, e, z, floor)
			floor = z.current(t) - 3
			w.compact(floor)
			w.write(3)
			requireSameAt(t, e, z, z.current(t))
			requireCompacted(t, z, floor)
			// And back: what was imported is exported.
			requireSame(t, z.late(t), restore(t, z.save(t)), floor)
		})
	}
}

// requireSameUsers compares users with their roles, and what the roles may.
func requireSameUsers(t *testing.T, want, got *store) {
	t.Helper()
	a, err := want.UserGet(within(t), "bob")
	require.NoError(t, err)
	b, err := got.UserGet(within(t), "bob")
	require.NoError(t, err)
	require.Equal(t, a.Roles, b.Roles)
	c, err := want.RoleGet(within(t), "reader")
	require.NoError(t, err)
	d, err := got.RoleGet(within(t), "reader")
	require.NoError(t, err)
	require.Equal(t, c.Perm[0].String(), d.Perm[0].String())
	e, err := want.AuthStatus(within(t))
	require.NoError(t, err)
	f, err := got.AuthStatus(within(t))
	require.NoError(t, err)
	require.Equal(t, []any{e.Enabled, e.AuthRevision}, []any{f.Enabled, f.AuthRevision})
}

// A raised revision is to clients what etcdutl makes of it: below it nothing can be read or watched, at it all is there,
// and the hashes are equal from there on, through compactions, and through another snapshot of either.
func TestImportRaised(t *testing.T) {
	const bump = 1_000_000
	flags := []string{"--bump-revision=" + strconv.Itoa(bump), "--mark-compacted"}
	source := newEtcd(t, t.TempDir())
	w := newWriter(t, source)
	w.write(60)
	w.compact(source.current(t) - 10)
	w.write(20)
	w.txn() // the last revision has several changes
	path, was := source.save(t), source.current(t)
	e, z := restoredAs(t, path, flags...), imported(t, path, flags...)
	raised := was + bump
	require.Equal(t, raised, e.current(t))
	require.Equal(t, raised, z.current(t))
	requireSameAt(t, e, z, raised)
	requireSameEdges(t, e, z, raised)
	w.stores = []*store{e, z}
	w.write(20)
	requireSame(t, e, z, raised)

	// The entry that etcdutl leaves outlives compactions, and goes with the next raise.
	floor := z.current(t) - 3
	w.compact(floor)
	w.write(3)
	requireSameAt(t, e, z, z.current(t))
	again := e.save(t)
	requireSame(t, restore(t, again), imported(t, again), floor)
	requireSame(t, z.late(t), restore(t, z.save(t)), floor)
	e2, z2 := restoredAs(t, again, flags...), imported(t, again, flags...)
	requireSameAt(t, e2, z2, z2.current(t))
	requireSameEdges(t, e2, z2, e2.current(t))
}

// requireSameEdges asks two stores what they answer at a raised revision, and beside it.
func requireSameEdges(t *testing.T, want, got *store, raised int64) {
	t.Helper()
	for _, rev := range []int64{1, 2, raised - 1, raised, raised + 1} {
		_, a := want.Get(within(t), "a", clientv3.WithRev(rev))
		_, b := got.Get(within(t), "a", clientv3.WithRev(rev))
		require.Equal(t, a, b, "read at %d", rev)
		_, a = want.HashKV(within(t), want.endpoint, rev)
		_, b = got.HashKV(within(t), got.endpoint, rev)
		require.Equal(t, a == nil, b == nil, "hash at %d: %v, %v", rev, a, b)
		if rev < raised {
			require.Equal(t, want.compactedWatch(t, rev), got.compactedWatch(t, rev), "watch from %d", rev)
		} else {
			_, a = want.Compact(within(t), rev)
			_, b = got.Compact(within(t), rev)
			require.Equal(t, a, b, "compaction at %d", rev)
			require.Error(t, a)
		}
	}
}

// compactedWatch is what a watch from a revision that was compacted is told: which one can be read.
func (s *store) compactedWatch(t *testing.T, rev int64) int64 {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for resp := range s.Watch(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithRev(rev)) {
		require.Empty(t, resp.Events)
		require.ErrorIs(t, resp.Err(), rpctypes.ErrCompacted)
		return resp.CompactRevision
	}
	t.Fatal("the watch ended")
	return 0
}

// A target that is not empty, a file that is none, and a dry run: nothing is written.
func TestImportRefuses(t *testing.T) {
	z := newZkine(t)
	w := newWriter(t, z)
	w.write(20)
	path, rev := z.save(t), z.current(t)
	out, err := importInto(t, z.root, path)
	require.Error(t, err)
	require.Contains(t, out, "the root is not empty: "+z.root+" holds cluster")
	require.Equal(t, rev, z.current(t))
	root := zktest.Root(t)
	out, err = importInto(t, root, path, "--dry-run")
	require.NoError(t, err, out)
	require.Contains(t, out, "nothing was written")
	out, err = importInto(t, root, path, "--prefix=/none/")
	require.Error(t, err)
	require.Contains(t, out, "--prefix: no key of "+path+" begins like that")
	out, err = importInto(t, root, path)
	require.NoError(t, err, out)
	requireSame(t, z.late(t), newZkineOn(t, root), 0)
}
