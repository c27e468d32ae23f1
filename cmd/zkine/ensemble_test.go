package main

import (
	"errors"
	"path"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/zktest"
)

// sharedRoot returns the flags for a new root on the shared ZooKeeper, the root
// and a client of ZooKeeper.
func sharedRoot(t *testing.T) ([]string, string, *zk.Conn) {
	t.Helper()
	root := zktest.Root(t)
	address := zktest.Shared(t).Addr()
	conn, _, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return []string{"--zookeeper=" + address, "--zookeeper-root=" + root, "--zookeeper-session-timeout=2s"}, root, conn
}

func create(t *testing.T, conn *zk.Conn, path, data string) {
	t.Helper()
	_, err := conn.Create(path, []byte(data), 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
}

func removeTree(t *testing.T, conn *zk.Conn, node string) {
	t.Helper()
	children, _, err := conn.Children(node)
	if errors.Is(err, zk.ErrNoNode) {
		return // an ephemeral, whose zkine has noticed something
	}
	require.NoError(t, err)
	for _, child := range children {
		removeTree(t, conn, path.Join(node, child))
	}
	if err := conn.Delete(node, -1); !errors.Is(err, zk.ErrNoNode) {
		require.NoError(t, err)
	}
}

func TestAForeignRoot(t *testing.T) {
	args, root, conn := sharedRoot(t)
	create(t, conn, root, "")
	create(t, conn, root+"/brokers", "")
	require.Equal(t, `zkine: root `+root+`: the root holds something else than zkine's data: `+root+
		` has no format but holds ["brokers"] — choose another --zookeeper-root, or remove what is there`,
		startZkine(t, args).problem())
}

func TestARootOfANewerZkine(t *testing.T) {
	args, root, conn := sharedRoot(t)
	create(t, conn, root, "")
	create(t, conn, root+"/format", `{"format": 1000, "cluster_id": "1"}`)
	require.Regexp(t, `^zkine: root `+root+`: written by a newer zkine: .* has format 1000, .* — upgrade it`,
		startZkine(t, args).problem())
}

func TestARootWithAClosedACL(t *testing.T) {
	args, root, conn := sharedRoot(t)
	_, err := conn.Create(root, nil, 0, zk.WorldACL(zk.PermRead))
	require.NoError(t, err)
	require.Equal(t, `zkine: root `+root+`: create `+root+`: ZooKeeper answers NOAUTH (-102) for `+root+
		`/format: access denied, the znode's ACL keeps this zkine out — give zkine all permissions on everything under its root`+
		` with zkine acl apply, or have it authenticate as one that has them, with --zookeeper-auth-file or --zookeeper-cert-file`, startZkine(t, args).problem())
}

func TestANameTwice(t *testing.T) {
	args, _, _ := sharedRoot(t)
	args = append(args, "--name=twin")
	startZkine(t, args).ready()
	require.Regexp(t, `member name is taken: .*/members/twin is held by a live zkine .* — start with another --name, or stop that one`,
		startZkine(t, args).problem())
}

func TestTwoZkinesServeTheSame(t *testing.T) {
	args, _, _ := sharedRoot(t)
	one := client(t, startZkine(t, append(args, "--name=one")).ready())
	two := client(t, startZkine(t, append(args, "--name=two")).ready())
	put(t, one, "a", "1")
	expect(t, two, "a", "1")
	put(t, two, "a", "2")
	expect(t, one, "a", "2")
}

func TestARootThatWentBackEndsZkine(t *testing.T) {
	args, root, conn := sharedRoot(t)
	p := startZkine(t, args)
	kv := client(t, p.ready())
	put(t, kv, "a", "1")
	removeTree(t, conn, root)
	_, err := kv.Put(within(t), &pb.PutRequest{Key: []byte("a"), Value: []byte("2")})
	require.Error(t, err)
	require.Regexp(t, `^zkine: root `+root+`: .*the log went back.*"The log went back"`, p.decision())
}

func TestZooKeeperMayComeLater(t *testing.T) {
	server := zktest.Start(t)
	server.Stop()
	p := startZkine(t, []string{"--zookeeper=" + server.Addr()})
	p.await(`no ZooKeeper server gives a session`)
	require.Equal(t, 200, p.get("/livez"))
	require.Equal(t, 503, p.get("/readyz"))
	server.Restart()
	put(t, client(t, p.ready()), "a", "1")
	require.Equal(t, 200, p.get("/readyz"))
}

func TestAStartThatWaitsCanBeEnded(t *testing.T) {
	server := zktest.Start(t)
	server.Stop()
	p := startZkine(t, []string{"--zookeeper=" + server.Addr()}, "ZKINE_COLOUR=1")
	p.await(`no ZooKeeper server gives a session`)
	p.await(`ZKINE_COLOUR is set, but zkine has no such setting`)
	began := time.Now()
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.end())
	require.Less(t, time.Since(began), 10*time.Second)
}
