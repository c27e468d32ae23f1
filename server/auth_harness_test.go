package server

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/token"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/servertest"
)

// member is a zkine with its clients: the server of this package on the real
// backend, on a ZooKeeper in memory.
type member struct {
	addr string
	web  string // the metrics URL
	conn *grpc.ClientConn
	spy  *spyLog
	log  *logrustest.Hook
	// server is the one of this package.
	server *Server
	kv     pb.KVClient
	auth   pb.AuthClient
	watch  pb.WatchClient
}

// startMember runs one. jwt is nil for simple tokens.
func startMember(t *testing.T, z *memzk.Ensemble, name string, jwt *token.JWT, edit ...func(*Config)) *member {
	t.Helper()
	return startMemberOn(t, z, name, backend.Config{Auth: backend.AuthConfig{JWT: jwt}}, edit...)
}

// startMemberOn is startMember on any ensemble, with a configuration of the
// backend's.
func startMemberOn(t *testing.T, z zkclient.Dialer, name string, back backend.Config, edit ...func(*Config)) *member {
	t.Helper()
	logger, hook := logrustest.NewNullLogger()
	entry := logrus.NewEntry(logger)
	log, err := zklog.Open(ctxFor(t), zklog.Config{Dialer: z, Root: "/zkine", Name: name, Log: entry})
	require.NoError(t, err)
	m := &member{spy: &spyLog{Log: log}, log: hook}
	back.Member, back.Log = revision.Member{Name: name, ID: uint64(name[0])}, entry
	back.Auth.Credentials, back.Auth.BcryptCost = Credentials(true), bcrypt.MinCost
	b, err := backend.Open(ctxFor(t), m.spy, back)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })

	cfg := Config{Backend: b, MemberID: servertest.MemberID, Name: name, ClientURLs: []string{"http://127.0.0.1:0"}, Log: entry}
	for _, e := range edit {
		e(&cfg)
	}
	cfg.Listeners, err = listener.Listen(cfg.ClientURLs)
	require.NoError(t, err)
	if cfg.MetricsListeners == nil {
		cfg.MetricsListeners = listenMetrics(t, "http://127.0.0.1:0")
	}
	m.web = listener.BoundURL(cfg.MetricsListeners[0])
	s, err := New(cfg)
	require.NoError(t, err)
	m.server = s
	require.NoError(t, s.Start())
	t.Cleanup(func() { require.NoError(t, s.Stop(ctxFor(t))) })
	m.addr = cfg.Listeners[0].Addr().String()
	m.conn = dial(t, m.addr)
	t.Cleanup(func() { m.conn.Close() })
	m.kv, m.auth, m.watch = pb.NewKVClient(m.conn), pb.NewAuthClient(m.conn), pb.NewWatchClient(m.conn)
	return m
}

func listenMetrics(t *testing.T, url string) []net.Listener {
	t.Helper()
	ls, err := listener.ListenMetrics([]string{url})
	require.NoError(t, err)
	return ls
}

// spyLog keeps what was appended.
type spyLog struct {
	backend.Log
	mu       sync.Mutex
	appended []byte
}

func (l *spyLog) Append(ctx context.Context, batch *revision.Batch) (revision.Appended, error) {
	l.mu.Lock()
	for _, r := range batch.Requests {
		b, _ := proto.Marshal(r)
		l.appended = append(l.appended, b...)
	}
	l.mu.Unlock()
	return l.Log.Append(ctx, batch)
}

func withToken(t *testing.T, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctxFor(t), rpctypes.TokenFieldNameGRPC, token)
}

// login returns the context of calls of a user.
func (m *member) login(t *testing.T, user, password string) context.Context {
	t.Helper()
	resp, err := m.auth.Authenticate(ctxFor(t), &pb.AuthenticateRequest{Name: user, Password: password})
	require.NoError(t, err)
	return withToken(t, resp.Token)
}

// enableAuth makes users root (password r) and alice (a), who may read and
// write what begins with a/, and returns the context of root's calls.
func (m *member) enableAuth(t *testing.T) context.Context {
	t.Helper()
	ctx := ctxFor(t)
	_, err := m.auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "root", Password: "r"})
	require.NoError(t, err)
	_, err = m.auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"})
	require.NoError(t, err)
	_, err = m.auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "alice", Password: "a"})
	require.NoError(t, err)
	_, err = m.auth.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "app"})
	require.NoError(t, err)
	perm := &authpb.Permission{PermType: authpb.Permission_READWRITE, Key: []byte("a/"), RangeEnd: []byte("a0")}
	_, err = m.auth.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: "app", Perm: perm})
	require.NoError(t, err)
	_, err = m.auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "alice", Role: "app"})
	require.NoError(t, err)
	_, err = m.auth.AuthEnable(ctx, &pb.AuthEnableRequest{})
	require.NoError(t, err)
	return m.login(t, "root", "r")
}

func (m *member) put(ctx context.Context, key string) error {
	_, err := m.kv.Put(ctx, &pb.PutRequest{Key: []byte(key)})
	return err
}

func (m *member) get(ctx context.Context, key string) error {
	_, err := m.kv.Range(ctx, &pb.RangeRequest{Key: []byte(key)})
	return err
}
