package move

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// store is an etcd, a kine or a zkine that serves.
type store struct {
	*clientv3.Client
	endpoint string // host:port
	process  *rig.Process
	raw      pb.MaintenanceClient
	root     root // a zkine's
}

// connect makes clients of a server. Login is made with user and password, unless they are "".
func connect(t testing.TB, process *rig.Process, endpoint string, login ...string) *store {
	t.Helper()
	cfg := clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop(), DialTimeout: patience, MaxCallRecvMsgSize: 1 << 30}
	if len(login) == 2 {
		cfg.Username, cfg.Password = login[0], login[1]
	}
	c, err := clientv3.New(cfg)
	require.NoError(t, err)
	conn, err := rig.Dial(endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(); conn.Close() })
	return &store{Client: c, endpoint: endpoint, process: process, raw: pb.NewMaintenanceClient(conn)}
}

const (
	memberName = "moved"
	// restoredPeer is nobody: an etcd alone does not talk to itself.
	restoredPeer = "http://127.0.0.1:1"
)

// describeEtcd describes an etcd on a data folder, which may not exist yet.
func describeEtcd(t testing.TB, dataDir string, args ...string) *rig.Etcd {
	t.Helper()
	e, err := rig.NewEtcd(rig.EtcdConfig{
		Program: rigtest.Component(t, "etcd"), Name: memberName, DataDir: dataDir, AdvertisePeer: restoredPeer,
		Args: append([]string{"--log-level=warn"}, args...), Env: []string{"ETCD_VERIFY=all"},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		e.Kill()
		require.NoError(t, e.CheckOutput())
		if t.Failed() {
			t.Logf("etcd printed:\n%.20000s", e.Output())
		}
	})
	return e
}

// startEtcd starts one that does not fsync.
func startEtcd(t testing.TB, dataDir string, args ...string) *store {
	t.Helper()
	e := describeEtcd(t, dataDir, append([]string{"--unsafe-no-fsync", "--bcrypt-cost=4"}, args...)...)
	require.NoError(t, e.Up(within(t)))
	return connect(t, e.Process, e.Endpoint)
}

// root is an empty place for a zkine.
type root struct{ zooKeeper, path string }

func newRoot(t testing.TB) root {
	t.Helper()
	return root{zktest.Shared(t).Addr(), zktest.Root(t)}
}

// serve starts a zkine on a root.
func (r root) serve(t testing.TB, args ...string) *store {
	t.Helper()
	z := rigtest.StartAs(t, rig.ZkineConfig{
		Program: program(t), ZooKeeper: r.zooKeeper, Root: r.path, Args: append([]string{"--bcrypt-cost=4"}, args...),
	})
	s := connect(t, z.Process, z.Endpoint)
	s.root = r
	return s
}

// save has etcdctl save a snapshot.
func (s *store) save(t testing.TB, flags ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "snapshot.db")
	tool(t, "etcdctl", append(flags, "--endpoints="+s.endpoint, "--dial-timeout=1m", "--command-timeout=2m", "snapshot", "save", path)...)
	return path
}

// restoreEtcd has etcdutl restore a snapshot, and starts an etcd on it.
func restoreEtcd(t testing.TB, path string, flags ...string) *store {
	t.Helper()
	return startEtcd(t, restoreFolder(t, path, flags...))
}

// restoreFolder is the data folder of an etcd that etcdutl has made of a snapshot.
func restoreFolder(t testing.TB, path string, flags ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	tool(t, "etcdutl", append([]string{"snapshot", "restore", path, "--data-dir=" + dir, "--name=" + memberName,
		"--initial-cluster=" + memberName + "=" + restoredPeer, "--initial-advertise-peer-urls=" + restoredPeer}, flags...)...)
	return dir
}

// revision is the revision that a store has reached.
func (s *store) revision(t testing.TB) int64 {
	t.Helper()
	resp, err := s.Get(within(t), "/registry/nothing")
	require.NoError(t, err)
	return resp.Header.Revision
}

func (s *store) String() string { return fmt.Sprint(s.process.Name, " at ", s.endpoint) }
