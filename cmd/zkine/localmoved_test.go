package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// openLocal starts a ZooKeeper as releases before this one had it: open, with its
// data where a zkine will have it.
func openLocal(t *testing.T, dir string) *embedded.Server {
	t.Helper()
	d, err := embedded.Find(embedded.FindOptions{Dir: zooKeeperForTests()})
	require.NoError(t, err)
	s, err := embedded.Start(within(t), embedded.Config{Distribution: d, DataDir: dir, Open: true, Logger: silent()})
	require.NoError(t, err)
	t.Cleanup(s.Kill)
	return s
}

// keysBefore are those that an earlier release has written.
const keysBefore = 200

// openDataDir makes a data folder as an earlier release leaves it, with keys in
// it, and other znodes beside the root. It returns the folder and all znodes with
// their data, but for ephemerals.
func openDataDir(t *testing.T, others int) (dir string, znodes map[string]string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "zkine-data")
	server := openLocal(t, dir)
	p := startZkine(t, []string{"--zookeeper=" + server.Addr(), "--data-dir=" + dir, "--log-segment-slots=16"})
	kv := client(t, p.ready())
	for i := range keysBefore {
		put(t, kv, fmt.Sprint("key", i), fmt.Sprint("value", i))
	}
	conn := dialZooKeeper(t, server.Addr(), "")
	create(t, conn, "/other", "theirs")
	for done := 0; done < others; {
		var ops []any
		for ; done < others && len(ops) < 1000; done++ {
			ops = append(ops, &zk.CreateRequest{Path: fmt.Sprint("/other/", done), Data: []byte("theirs"), Acl: zk.WorldACL(zk.PermAll)})
		}
		_, err := conn.Multi(ops...)
		require.NoError(t, err)
	}
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.end())
	znodes = readAll(t, conn, nil)
	conn.Close()
	require.NoError(t, server.Stop(within(t)))
	return dir, znodes
}

// dialZooKeeper shows a digest credential, unless it is "".
func dialZooKeeper(t *testing.T, addr, credential string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{addr}, 20*time.Second, zk.WithLogInfo(false), zk.WithLogger(noLog{}))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	if credential != "" {
		// The client forgets one that it could not show.
		require.Eventually(t, func() bool { return conn.AddAuth("digest", []byte(credential)) == nil }, limit, 10*time.Millisecond)
	}
	return conn
}

// readAll reads all znodes that last, and looks whether they have the ACL, unless
// that is nil.
func readAll(t *testing.T, conn *zk.Conn, acl []zk.ACL) map[string]string {
	t.Helper()
	all := map[string]string{}
	var visit func(at string)
	visit = func(at string) {
		data, stat, err := conn.Get(at)
		require.NoError(t, err, at)
		if acl != nil {
			has, _, err := conn.GetACL(at)
			require.NoError(t, err, at)
			require.Equal(t, acl, has, at)
		}
		if stat.EphemeralOwner == 0 {
			all[at] = string(data)
		}
		names, _, err := conn.Children(at)
		require.NoError(t, err, at)
		for _, name := range names {
			visit(path.Join(at, name))
		}
	}
	visit("/")
	return all
}

// requireMoved has every znode of a local ZooKeeper belong to its zkine, and
// nothing missing or other than it was.
func requireMoved(t *testing.T, p *process, dir string, before map[string]string) {
	t.Helper()
	secret := localSecret(t, dir)
	conn := dialZooKeeper(t, localAddr(t, p), "zkine:"+secret)
	defer conn.Close()
	now := readAll(t, conn, zk.DigestACL(zk.PermAll, "zkine", secret))
	for at, data := range before {
		if at == "/zkine/members" || strings.HasPrefix(at, "/zookeeper") || at == "/" {
			continue // no data
		}
		got, there := now[at]
		require.True(t, there, "%s is lost", at)
		require.Equal(t, data, got, at)
	}
	anonymous := dialZooKeeper(t, localAddr(t, p), "any:thing")
	defer anonymous.Close()
	_, _, err := anonymous.Children("/")
	require.ErrorIs(t, err, zk.ErrNoAuth)
}

func requireKeys(t *testing.T, kv pb.KVClient) {
	t.Helper()
	all, err := kv.Range(within(t), &pb.RangeRequest{Key: []byte("key"), RangeEnd: []byte("kez")})
	require.NoError(t, err)
	require.Len(t, all.Kvs, keysBefore)
	for i := range keysBefore {
		expect(t, kv, fmt.Sprint("key", i), fmt.Sprint("value", i))
	}
}

const closedLine = `closed the local ZooKeeper to other users of this host: (\d+) znodes`

func TestADataFolderOfAnEarlierReleaseIsMoved(t *testing.T) {
	dir, before := openDataDir(t, 10)
	t.Setenv("ZOOKEEPER_HOME", zooKeeperForTests())
	// The command looks, and changes no ACL.
	out, err := zkine("log", "verify", "--data-dir="+dir)
	require.NoError(t, err, out)
	require.Contains(t, out, "\nsound\n")

	p := startZkine(t, []string{"--data-dir=" + dir})
	kv := client(t, p.ready())
	p.await(closedLine)
	// It is closed before anyone is served.
	require.Regexp(t, `(?s)`+closedLine+`.*found a cluster under /zkine.*zkine is ready`, p.text())
	requireKeys(t, kv)
	requireMoved(t, p, dir, before)
	put(t, kv, "later", "1")
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.end())

	again := startZkine(t, []string{"--data-dir=" + dir})
	kv = client(t, again.ready())
	require.NotRegexp(t, closedLine, again.text(), "it is closed already")
	expect(t, kv, "later", "1")
	requireMoved(t, again, dir, nil) // ZooKeeper's own znodes included
}

// TestAMoveThatIsKilled kills the zkine or its ZooKeeper at any time of the move,
// several times, and then lets one come to its end.
func TestAMoveThatIsKilled(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir, before := openDataDir(t, 6000)
	const last = 3
	for round := range last + 1 {
		p := startZkine(t, []string{"--data-dir=" + dir})
		zooKeeper := p.zooKeeperPid()
		// A ZooKeeper that dies before zkine has seen it serve ends the zkine, not the move.
		p.await("knows this zkine as")
		awaitMove(t, localAddr(t, p))
		pause := time.Duration(random.Int64N(int64(300 * time.Millisecond)))
		<-time.After(pause) // any point will do
		t.Logf("round %d: killed %v after its begin; had it come to its end: %v", round, pause, strings.Contains(p.text(), "closed the local ZooKeeper"))
		if round < last {
			p.signal(syscall.SIGKILL)
			p.end()
			awaitGone(t, zooKeeper)
			continue
		}
		require.NoError(t, syscall.Kill(zooKeeper, syscall.SIGKILL))
		requireKeys(t, client(t, p.ready())) // it is started again, and the move with it
		requireMoved(t, p, dir, before)
		p.signal(syscall.SIGTERM)
		require.Zero(t, p.end())
	}
	p := startZkine(t, []string{"--data-dir=" + dir})
	requireKeys(t, client(t, p.ready()))
	require.NotRegexp(t, closedLine, p.text())
}

// awaitMove waits until the move has begun: until / is closed.
func awaitMove(t *testing.T, addr string) {
	t.Helper()
	other := strangerOn{target: target{Addr: addr}}
	require.Eventually(t, func() bool {
		if _, err := fourletter.Mode(t.Context(), addr); err != nil {
			return false // to connect is of no use yet, and would cost a second
		}
		_, err := other.session("any:thing", func(c *zk.Conn) (string, error) {
			_, _, err := c.Children("/")
			return "", err
		})
		return err == zk.ErrNoAuth
	}, limit, time.Millisecond)
}

// TestASecretThatIsLost covers a data folder that was restored without it, or with
// one that others have read: a new one is made, and everything moved to it.
func TestASecretThatIsLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "zkine-data")
	secretFile := filepath.Join(dir, "data", "secret")
	t.Setenv("ZOOKEEPER_HOME", zooKeeperForTests())
	p := startZkine(t, []string{"--data-dir=" + dir})
	put(t, client(t, p.ready()), "a", "1")
	for name, harm := range map[string]func() error{
		"removed":   func() error { return os.Remove(secretFile) },
		"truncated": func() error { return os.Truncate(secretFile, 20) },
		"read":      func() error { return os.Chmod(secretFile, 0o644) },
	} {
		p.signal(syscall.SIGTERM)
		require.Zero(t, p.end(), name)
		before := localSecret(t, dir)
		require.NoError(t, harm(), name)
		out, err := zkine("log", "verify", "--data-dir="+dir)
		require.NoError(t, err, name, out)
		p = startZkine(t, []string{"--data-dir=" + dir})
		kv := client(t, p.ready())
		expect(t, kv, "a", "1")
		p.await(closedLine)
		require.NotEqual(t, before, localSecret(t, dir), name)
		requireMoved(t, p, dir, nil)
	}
}

// TestAnEarlierReleaseOnAClosedFolder has an earlier one say what keeps it out, and
// change nothing; and serve what was opened for it.
func TestAnEarlierReleaseOnAClosedFolder(t *testing.T) {
	t.Setenv("ZOOKEEPER_HOME", zooKeeperForTests())
	dir := filepath.Join(t.TempDir(), "zkine-data")
	p := startZkine(t, []string{"--data-dir=" + dir})
	put(t, client(t, p.ready()), "a", "1")
	stop := func(p *process) {
		p.signal(syscall.SIGTERM)
		require.Zero(t, p.end())
	}
	stop(p)
	server := openLocal(t, dir)
	earlier := startZkine(t, []string{"--zookeeper=" + server.Addr()})
	require.Regexp(t, `access denied, the znode's ACL keeps this zkine out`, earlier.problem())
	require.NoError(t, server.Stop(within(t)))

	_, err := zkine("log", "verify", "--data-dir="+dir, "--zookeeper-acl=open")
	require.ErrorContains(t, err, "--zookeeper-acl: it is for an ensemble")
	_, err = zkine("acl", "apply", "--data-dir="+dir, "--zookeeper-acl=creator")
	require.ErrorContains(t, err, "--zookeeper-acl: it is for an ensemble")
	out, err := zkine("acl", "apply", "--data-dir="+dir, "--zookeeper-acl=open", "--parents")
	require.NoError(t, err, out)
	server = openLocal(t, dir)
	earlier = startZkine(t, []string{"--zookeeper=" + server.Addr()})
	kv := client(t, earlier.ready())
	expect(t, kv, "a", "1")
	put(t, kv, "b", "2")
	stop(earlier)
	require.NoError(t, server.Stop(within(t)))

	p = startZkine(t, []string{"--data-dir=" + dir})
	kv = client(t, p.ready())
	expect(t, kv, "a", "1")
	expect(t, kv, "b", "2")
	requireMoved(t, p, dir, nil)
	stop(p)
	out, err = zkine("acl", "verify", "--data-dir="+dir)
	require.NoError(t, err, out)
}
