package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/conformance/api/subject"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { zktest.Main(m) }

var buildComponents = sync.OnceValues(func() (string, error) {
	return process.Components(context.Background(), "etcd", "etcdctl", "etcdutl")
})

// component is the path of one of etcd's programs.
func component(t *testing.T, name string) string {
	t.Helper()
	bin, err := buildComponents()
	require.NoError(t, err)
	return filepath.Join(bin, name)
}

// run runs one of etcd's programs to its end, and returns what it printed. Programs of etcd check themselves.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t), component(t, name), args...)
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
	s := connect(t, subject.NewOn(t, zktest.Shared(t).Addr(), root, flags...).Endpoint)
	s.root = root
	return s
}

// late is another zkine on a zkine's root, which has kept no hashes of the compactions so far, as an etcd that was
// restored has none.
func (s *store) late(t *testing.T) *store {
	t.Helper()
	return newZkineOn(t, s.root)
}

// newEtcd starts an etcd on a data folder, which may not exist yet.
func newEtcd(t *testing.T, dataDir string) *store {
	t.Helper()
	endpoint, peer := freeEndpoint(t), "http://"+freeEndpoint(t)
	p := start(t, component(t, "etcd"), "--name="+memberName, "--data-dir="+dataDir,
		"--listen-client-urls=http://"+endpoint, "--advertise-client-urls=http://"+endpoint,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+restoredPeer,
		"--initial-cluster="+memberName+"="+restoredPeer, "--log-level=warn", "--unsafe-no-fsync")
	s := connect(t, endpoint)
	require.Eventually(t, func() bool {
		select {
		case <-p.Exited():
			t.Fatal("etcd ended")
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := s.Get(ctx, "nothing")
		return err == nil || errors.Is(err, rpctypes.ErrUserEmpty) // who asks must log in: it serves
	}, patience, 50*time.Millisecond)
	return s
}

const (
	memberName = "restored"
	// restoredPeer is nobody: an etcd alone does not talk to itself.
	restoredPeer = "http://127.0.0.1:1"
)

func start(t *testing.T, program string, args ...string) *process.Process {
	t.Helper()
	p, err := process.Start(program, args, "ETCD_VERIFY=all")
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		if out := p.Output(); t.Failed() || strings.Contains(out, "DATA RACE") || strings.Contains(out, "panic:") {
			t.Errorf("%s printed:\n%s", filepath.Base(program), out)
		}
	})
	return p
}

func freeEndpoint(t *testing.T) string {
	t.Helper()
	port, err := embedded.FreePort()
	require.NoError(t, err)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

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
