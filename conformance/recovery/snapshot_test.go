package recovery

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// run runs a program to its end and returns what it printed.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(within(t), program, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// TestASnapshotOfThePast makes an etcd of what a zkine's archive had at a revision: etcdutl takes the file, and clients
// of that etcd are told that what they knew was compacted.
func TestASnapshotOfThePast(t *testing.T) {
	root, zooKeeper := zktest.Root(t), zktest.Shared(t).Addr()
	zkine, err := rig.NewZkine(rig.ZkineConfig{Program: rigtest.Program(t), Name: "archived", ZooKeeper: zooKeeper, Root: root, DataDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(zkine.Kill)
	require.NoError(t, zkine.Up(within(t)))
	c := connect(t, zkine.Endpoint)
	lease, err := c.Grant(within(t), 1000)
	require.NoError(t, err)
	for i := range 20 {
		_, err := c.Put(within(t), fmt.Sprint("/past/", i%7), fmt.Sprintf("\x00%d\xff", i), clientv3.WithLease(lease.ID))
		require.NoError(t, err)
	}
	then, err := c.Get(within(t), "/past/", clientv3.WithPrefix())
	require.NoError(t, err)
	gone, err := c.Delete(within(t), "/past/", clientv3.WithPrefix())
	require.NoError(t, err)

	archive, file := "file://"+filepath.Join(t.TempDir(), "archive"), filepath.Join(t.TempDir(), "past.db")
	run(t, rigtest.Program(t), "archive", "--once", "--to="+archive, "--zookeeper="+zooKeeper, "--zookeeper-root="+root)
	out := run(t, rigtest.Program(t), "restore", "--archive="+archive, fmt.Sprint("--to-revision=", then.Header.Revision), "--to-snapshot="+file)
	raised := regexp.MustCompile(`raised to (\d+),`).FindStringSubmatch(out)
	require.NotNil(t, raised, out)

	data, peer := filepath.Join(t.TempDir(), "data"), "http://127.0.0.1:1" // it does not talk to itself
	run(t, rigtest.Component(t, "etcdutl"), "snapshot", "restore", file, "--data-dir="+data, "--name=restored",
		"--initial-cluster=restored="+peer, "--initial-advertise-peer-urls="+peer)
	etcd, err := rig.NewEtcd(rig.EtcdConfig{Program: rigtest.Component(t, "etcd"), Name: "restored", DataDir: data, AdvertisePeer: peer,
		Args: []string{"--log-level=warn", "--unsafe-no-fsync"}, Env: []string{"ETCD_VERIFY=all"}})
	require.NoError(t, err)
	t.Cleanup(etcd.Kill)
	require.NoError(t, etcd.Up(within(t)))
	e := connect(t, etcd.Endpoint)
	now, err := e.Get(within(t), "/past/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Equal(t, raised[1], fmt.Sprint(now.Header.Revision))
	require.Len(t, now.Kvs, len(then.Kvs))
	for i, kv := range then.Kvs {
		require.Equal(t, kv.String(), now.Kvs[i].String(), "key, value, revisions, version and lease")
	}
	watch := <-e.Watch(within(t), "/past/", clientv3.WithPrefix(), clientv3.WithRev(gone.Header.Revision))
	require.ErrorIs(t, watch.Err(), rpctypes.ErrCompacted)
	put, err := e.Put(within(t), "/past/new", "")
	require.NoError(t, err)
	require.Equal(t, now.Header.Revision+1, put.Header.Revision)
}
