package move

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// TestImportOfALiveEtcd has a zkine begin with what an etcd holds now, with its revisions; watches go on there.
func TestImportOfALiveEtcd(t *testing.T) {
	t.Parallel()
	etcd, root := newEtcd(t), newRoot(t)
	f := newFiller(t)
	f.grant(t, etcd, 5)
	f.write(t, etcd, 400)
	from := "--endpoints=" + etcd.endpoint

	r := root.zkine(t, "import", from, "--dry-run")
	require.Zero(t, r.code, r)
	requireOneLine(t, root.zkine(t, "export", "--snapshot="+filepath.Join(t.TempDir(), "x")), "no zkine data")
	requireOneLine(t, root.zkine(t, "import", from, "--prefix=/none/"), "--prefix: no key of", "begins like that")

	r = root.zkine(t, "import", from)
	require.Zero(t, r.code, r)
	require.Contains(t, r.out, "are the same on both sides")
	zkine := root.serve(t)
	requireSameNow(t, etcd, zkine)
	last := etcd.revision(t)
	require.Equal(t, etcd.events(t, last, last), withoutPast(zkine.events(t, last, last), etcd.events(t, last, last)))
	_, compacted := watchAt(t, zkine, last-1)
	require.EqualValues(t, last, compacted, "a watch of before is told")

	r = root.zkine(t, "import", from)
	requireOneLine(t, r, "the root is not empty")
	requireOneLine(t, newRoot(t).zkine(t, "import", "--endpoints="+root.zooKeeper, "--dial-timeout=1s"), root.zooKeeper, "nothing that speaks the etcd v3 API")
}

// withoutPast is got, with what only want can know: the values before the first revision that is there.
func withoutPast(got, want []string) []string {
	for i := range got {
		if i < len(want) && strings.HasPrefix(want[i], strings.TrimSuffix(got[i], "<nil>")) {
			got[i] = want[i]
		}
	}
	return got
}

// watchAt is what a watch from a revision on is answered first.
func watchAt(t testing.TB, s *store, rev int64) (events int, compacted int64) {
	t.Helper()
	resp := <-s.Watch(within(t), "\x00", clientv3.WithFromKey(), clientv3.WithRev(rev))
	return len(resp.Events), resp.CompactRevision
}

// TestImportOfUsers needs a password for root, which the API does not tell.
func TestImportOfUsers(t *testing.T) {
	t.Parallel()
	etcd, root := newEtcd(t), newRoot(t)
	newFiller(t).write(t, etcd, 20)
	addUsers(t, etcd, true)
	from := "--endpoints=" + etcd.endpoint
	requireOneLine(t, root.zkine(t, "import", from), "--user")
	requireOneLine(t, root.zkine(t, "import", from, "--user=root"), "needs a password")
	secret, passwords := writeFile(t, "root's secret\n"), writeFile(t, "root:root's secret\nann:ann's secret\n")
	login := []string{from, "--user=root", "--password-file=" + secret}
	requireOneLine(t, root.zkine(t, "import", login...), "--passwords-file")

	r := root.zkine(t, "import", append(login, "--passwords-file="+passwords)...)
	require.Zero(t, r.code, r)
	require.Contains(t, r.out, "cn cannot log in")
	requireUsers(t, root.serve(t))
}

func writeFile(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestImportFollows has a root follow an etcd that is written to, through a kill, until it is told to stop; then a zkine
// serves what the etcd does: history too, from where the copy was made.
func TestImportFollows(t *testing.T) {
	t.Parallel()
	etcd, root := newEtcd(t), newRoot(t)
	f := newFiller(t)
	f.grant(t, etcd, 3)
	f.write(t, etcd, 200)
	from := "--endpoints=" + etcd.endpoint
	floor := etcd.revision(t)

	follow := root.startZkine(t, "import", from, "--follow")
	awaitFollowing(t, follow)
	f.grant(t, etcd, 2)
	f.write(t, etcd, 300)
	follow.Kill()
	f.write(t, etcd, 100)
	require.NoError(t, first(etcd.Revoke(within(t), f.leases[0])))
	f.leases = f.leases[1:]

	follow = root.startZkine(t, "import", from, "--follow")
	awaitFollowing(t, follow)
	grantAgain(t, etcd, f.leases[0], 7200)
	f.write(t, etcd, 100)
	follow.Signal(syscall.SIGTERM)
	code, err := follow.Wait(within(t))
	require.NoError(t, err)
	require.Zero(t, code, follow.Output())
	require.Contains(t, follow.Output(), "both sides are the same at revision ")
	require.Contains(t, follow.Output(), "the source was not written to since")

	zkine := root.serve(t)
	requireSameNow(t, etcd, zkine)
	last := etcd.revision(t)
	require.Equal(t, etcd.events(t, floor+1, last), zkine.events(t, floor+1, last), "all changes since the copy, with the values before")

	// It is not followed on once it has been served, and written to.
	require.NoError(t, first(zkine.Put(within(t), "/registry/counter", "zkine's")))
	requireOneLine(t, root.zkine(t, "import", from, "--follow"), "another program writes to the root")
	_, err = zkine.process.Stop(within(t))
	require.NoError(t, err)
	requireOneLine(t, root.zkine(t, "import", from, "--follow"), "the root does not hold what the source held")
}

// awaitFollowing waits until a command has copied and follows.
func awaitFollowing(t testing.TB, p *rig.Process) {
	t.Helper()
	_, err := p.Await(within(t), "following from revision")
	require.NoError(t, err)
}

// TestImportFollowsAPrefix skips the revisions of other keys.
func TestImportFollowsAPrefix(t *testing.T) {
	t.Parallel()
	etcd, root := newEtcd(t), newRoot(t)
	f := newFiller(t)
	f.write(t, etcd, 50)
	follow := root.startZkine(t, "import", "--endpoints="+etcd.endpoint, "--prefix=/bootstrap/", "--follow")
	awaitFollowing(t, follow)
	f.write(t, etcd, 150)
	require.NoError(t, first(etcd.Put(within(t), "/elsewhere", "x")))
	follow.Signal(syscall.SIGINT)
	code, err := follow.Wait(within(t))
	require.NoError(t, err)
	require.Zero(t, code, follow.Output())
	zkine := root.serve(t)
	want, _ := etcd.keys(t, 0, "/bootstrap/")
	got, rev := zkine.keys(t, 0)
	requireSameKeys(t, want, got)
	require.Equal(t, etcd.revision(t), rev)
}

// TestImportOfALiveEtcdGoesOnAfterAKill at whatever place.
func TestImportOfALiveEtcdGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	etcd, root := newEtcd(t), newRoot(t)
	for i := range 40 {
		var puts []clientv3.Op
		for n := range 100 {
			puts = append(puts, clientv3.OpPut(fmt.Sprintf("/registry/%02d/%03d", i, n), strings.Repeat(fmt.Sprint(i*n), 500)))
		}
		require.NoError(t, first(etcd.Txn(within(t)).Then(puts...).Commit()))
	}
	from := "--endpoints=" + etcd.endpoint
	for after := 400 * time.Millisecond; after < time.Second; after += 150 * time.Millisecond {
		p := root.startZkine(t, "import", from)
		select {
		case <-p.Exited():
		case <-time.After(after):
			p.Kill()
		}
	}
	r := root.zkine(t, "import", from)
	if r.code != 0 {
		requireOneLine(t, r, "the root is not empty") // one of those before was fast
	}
	requireSameNow(t, etcd, root.serve(t))
}

// newKine starts a kine on a SQLite file.
func newKine(t testing.TB) *store {
	t.Helper()
	addresses, err := rig.FreeAddresses(1)
	require.NoError(t, err)
	p, err := rig.Start(rig.Program{Path: rigtest.Component(t, "kine"), Args: []string{
		"--listen-address=tcp://" + addresses[0], "--endpoint=sqlite://" + filepath.Join(t.TempDir(), "state.db") + "?_journal_mode=WAL&_busy_timeout=30000&_synchronous=OFF&_txlock=immediate&cache=shared",
		"--metrics-bind-address=0",
	}})
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	require.NoError(t, p.AwaitServing(within(t), addresses[0]))
	return connect(t, p, addresses[0])
}

// create, update and remove are what kine knows of transactions.
func (s *store) create(t testing.TB, key, value string, lease clientv3.LeaseID) (rev int64) {
	t.Helper()
	resp, err := s.Txn(within(t)).If(clientv3.Compare(clientv3.ModRevision(key), "=", 0)).Then(clientv3.OpPut(key, value, clientv3.WithLease(lease))).Commit()
	require.NoError(t, err)
	require.True(t, resp.Succeeded)
	return resp.Header.Revision
}

func (s *store) update(t testing.TB, key, value string, rev int64, lease clientv3.LeaseID) int64 {
	t.Helper()
	resp, err := s.Txn(within(t)).If(clientv3.Compare(clientv3.ModRevision(key), "=", rev)).Then(clientv3.OpPut(key, value, clientv3.WithLease(lease))).Else(clientv3.OpGet(key)).Commit()
	require.NoError(t, err)
	require.True(t, resp.Succeeded)
	return resp.Header.Revision
}

func (s *store) remove(t testing.TB, key string, rev int64) {
	t.Helper()
	resp, err := s.Txn(within(t)).If(clientv3.Compare(clientv3.ModRevision(key), "=", rev)).Then(clientv3.OpDelete(key)).Else(clientv3.OpGet(key)).Commit()
	require.NoError(t, err)
	require.True(t, resp.Succeeded)
}

// churn has a kine's keys come, change and go.
func churn(t testing.TB, s *store, from, to int) {
	t.Helper()
	lease, err := s.Grant(within(t), 3660)
	require.NoError(t, err)
	for i := from; i < to; i++ {
		key := fmt.Sprintf("/registry/events/%04d", i)
		if i%7 == 0 {
			key = fmt.Sprintf("/bootstrap/%04d", i)
		}
		rev := s.create(t, key, fmt.Sprint("one ", i), lease.ID)
		if i%2 == 0 {
			rev = s.update(t, key, fmt.Sprint("two ", i), rev, 0)
		}
		if i%3 == 0 {
			s.remove(t, key, rev)
		}
	}
}

// TestImportFollowsAKine keeps what a kine can tell: keys, values, both revisions, and lifetimes as leases.
func TestImportFollowsAKine(t *testing.T) {
	t.Parallel()
	kine, root := newKine(t), newRoot(t)
	churn(t, kine, 0, 100)
	follow := root.startZkine(t, "import", "--endpoints="+kine.endpoint, "--follow")
	awaitFollowing(t, follow)
	churn(t, kine, 100, 150)
	follow.Kill()
	churn(t, kine, 150, 200)
	follow = root.startZkine(t, "import", "--endpoints="+kine.endpoint, "--follow")
	awaitFollowing(t, follow)
	churn(t, kine, 200, 220)
	follow.Signal(syscall.SIGTERM)
	code, err := follow.Wait(within(t))
	require.NoError(t, err)
	require.Zero(t, code, follow.Output())
	require.Contains(t, follow.Output(), "both sides are the same at revision ")

	zkine := root.serve(t)
	want, _ := kine.keys(t, 0, "/")
	got, rev := zkine.keys(t, 0)
	require.Equal(t, kine.revision(t), rev)
	for i, kv := range got {
		require.Positive(t, kv.Version)
		want[i].Version = kv.Version // which a kine does not count
	}
	requireSameKeys(t, want, got)
	ttl, err := zkine.TimeToLive(within(t), 3660)
	require.NoError(t, err)
	require.EqualValues(t, 3660, ttl.GrantedTTL)
	r := newRoot(t).zkine(t, "export", "--endpoints="+kine.endpoint)
	require.NotZero(t, r.code)
}
