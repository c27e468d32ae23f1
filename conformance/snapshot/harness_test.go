package snapshot

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { zktest.Main(m) }

// run runs one of etcd's programs to its end, and returns what it printed. Programs of etcd check themselves.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	program := rigtest.Component(t, name)
	cmd := exec.CommandContext(within(t), program, args...)
	cmd.Env = append(cmd.Environ(), "ETCD_VERIFY=all")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v\n%s", name, args, stderr.String())
	return string(out)
}

// store is a zkine or an etcd.
type store struct {
	*clientv3.Client
	endpoint string
	raw      pb.MaintenanceClient
	root     string // a zkine's
}

// newZkine starts a zkine on a new root of the shared ZooKeeper.
func newZkine(t *testing.T, flags ...string) *store {
	t.Helper()
	return newZkineOn(t, zktest.Root(t), flags...)
}

func newZkineOn(t *testing.T, root string, flags ...string) *store {
	t.Helper()
	s := connect(t, rigtest.StartOn(t, zktest.Shared(t).Addr(), root, flags...).Endpoint)
	s.root = root
	return s
}

// late is another zkine on a zkine's root, which has kept no hashes of the compactions so far, as an etcd that was
// restored has none.
func (s *store) late(t *testing.T) *store {
	t.Helper()
	return newZkineOn(t, s.root)
}

// newEtcd starts an etcd on a data folder, which may not exist yet. Programs of etcd check themselves.
func newEtcd(t *testing.T, dataDir string) *store {
	t.Helper()
	e, err := rig.NewEtcd(rig.EtcdConfig{
		Program: rigtest.Component(t, "etcd"), Name: memberName, DataDir: dataDir, AdvertisePeer: restoredPeer,
		Args: []string{"--log-level=warn", "--unsafe-no-fsync"}, Env: []string{"ETCD_VERIFY=all"},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		e.Kill()
		require.NoError(t, e.CheckOutput())
		if t.Failed() {
			t.Logf("etcd printed:\n%s", e.Output())
		}
	})
	require.NoError(t, e.Up(within(t)))
	return connect(t, e.Endpoint)
}

const (
	memberName = "restored"
	// restoredPeer is nobody: an etcd alone does not talk to itself.
	restoredPeer = "http://127.0.0.1:1"
)

func connect(t *testing.T, endpoint string) *store {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop(), DialTimeout: patience})
	require.NoError(t, err)
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(); conn.Close() })
	return &store{Client: c, endpoint: endpoint, raw: pb.NewMaintenanceClient(conn)}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// save has etcdctl save a snapshot.
func (s *store) save(t *testing.T, flags ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "snapshot.db")
	out := run(t, "etcdctl", append(flags, "--endpoints="+s.endpoint, "--dial-timeout=1m", "snapshot", "save", path)...)
	require.Contains(t, out, "Server version 3.7.0")
	return path
}

// saved is what etcdutl tells of a snapshot, after it has checked every page.
type saved struct {
	Hash      uint32 `json:"hash"`
	Revision  int64  `json:"revision"`
	TotalKey  int    `json:"totalKey"`
	TotalSize int64  `json:"totalSize"`
	Version   string `json:"version"`
}

func statusOf(t *testing.T, path string) (s saved) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(run(t, "etcdutl", "snapshot", "status", path, "-w", "json")), &s))
	return s
}

// restore has etcdutl restore a snapshot, and starts an etcd on it.
func restore(t *testing.T, path string) *store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	run(t, "etcdutl", "snapshot", "restore", path, "--data-dir="+dir, "--name="+memberName,
		"--initial-cluster="+memberName+"="+restoredPeer, "--initial-advertise-peer-urls="+restoredPeer)
	return newEtcd(t, dir)
}
