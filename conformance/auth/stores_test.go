package auth

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/token"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server"
	"github.com/zkine/zkine/server/listener"
)

const patience = time.Minute

// store is one of the two, and what its users hold.
type store struct {
	name    string
	address string
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
		name: name, address: address, kv: pb.NewKVClient(conn), watch: pb.NewWatchClient(conn), lease: pb.NewLeaseClient(conn),
		cluster: pb.NewClusterClient(conn), maint: pb.NewMaintenanceClient(conn), auth: pb.NewAuthClient(conn),
		tokens: make(map[string]string),
	}
}

func startEtcd(t *testing.T, tokens string) *store {
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	cfg.UnsafeNoFsync = true
	cfg.BcryptCost = uint(bcrypt.MinCost)
	cfg.AuthToken = tokens
	client, peer := address(t), address(t)
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	require.NoError(t, err)
	t.Cleanup(e.Close)
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(patience):
		t.Fatal("etcd does not get ready")
	}
	return connect(t, "etcd", client.Host)
}

func address(t *testing.T) url.URL {
	port, err := embedded.FreePort()
	require.NoError(t, err)
	return url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
}

func startZkine(t *testing.T, tokens string) *store {
	jwt, err := token.Parse(tokens)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	entry := logrus.NewEntry(quiet)
	log, err := revision.Open(ctx, revision.Config{Dialer: memzk.New(), Root: "/zkine", Name: "one", Log: entry})
	require.NoError(t, err)
	member := revision.Member{Name: "one", ID: 1, ClientURLs: []string{"http://one"}}
	b, err := backend.Open(ctx, log, backend.Config{Member: member, Log: entry, Auth: backend.AuthConfig{
		Credentials: server.Credentials(false), JWT: jwt, BcryptCost: bcrypt.MinCost,
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	listeners, err := listener.Listen([]string{"http://127.0.0.1:0"})
	require.NoError(t, err)
	s, err := server.New(server.Config{Backend: b, MemberID: member.ID, Listeners: listeners})
	require.NoError(t, err)
	require.NoError(t, s.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return connect(t, "zkine", listeners[0].Addr().String())
}
