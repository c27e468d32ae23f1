package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/conformance/reference"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

const patience = time.Minute

func TestMain(m *testing.M) { zktest.Main(m) }

// store is one of the two, and what its users hold.
type store struct {
	name    string
	address string
	plain   *grpc.ClientConn
	kv      pb.KVClient
	watch   pb.WatchClient
	lease   pb.LeaseClient
	cluster pb.ClusterClient
	maint   pb.MaintenanceClient
	auth    pb.AuthClient
	tokens  map[string]string // the latest of each user
}

func connect(t *testing.T, name, address string) *store {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return &store{
		name: name, address: address, plain: conn, kv: pb.NewKVClient(conn), watch: pb.NewWatchClient(conn), lease: pb.NewLeaseClient(conn),
		cluster: pb.NewClusterClient(conn), maint: pb.NewMaintenanceClient(conn), auth: pb.NewAuthClient(conn),
		tokens: make(map[string]string),
	}
}

func startEtcd(t *testing.T, tokens string) *store {
	return connect(t, "etcd", reference.Start(t, func(cfg *embed.Config) { cfg.AuthToken = tokens }))
}

func startZkine(t *testing.T, tokens string, more ...string) *store {
	args := append([]string{"--auth-token=" + tokens, fmt.Sprintf("--bcrypt-cost=%d", bcrypt.MinCost)}, more...)
	return connect(t, "zkine", rigtest.Start(t, args...).Endpoint)
}
