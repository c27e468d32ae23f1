package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/token"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server/servertest"
)

// What every call answers to whom is compared with etcd's answers in
// conformance/auth. Here is what one request after the other cannot show.

func TestAuthFromOnToOff(t *testing.T) {
	m := startMember(t, memzk.New(), "one", nil)
	_, err := m.auth.AuthEnable(ctxFor(t), &pb.AuthEnableRequest{})
	requireStatus(t, rpctypes.ErrGRPCRootUserNotExist, err)
	root := m.enableAuth(t)
	alice := m.login(t, "alice", "a")
	_, err = m.auth.Authenticate(ctxFor(t), &pb.AuthenticateRequest{Name: "alice", Password: "r"})
	requireStatus(t, rpctypes.ErrGRPCAuthFailed, err)

	require.NoError(t, m.put(alice, "a/x"))
	requireStatus(t, rpctypes.ErrGRPCPermissionDenied, m.put(alice, "b/x"))
	requireStatus(t, rpctypes.ErrGRPCUserEmpty, m.put(ctxFor(t), "a/x"))
	requireStatus(t, rpctypes.ErrGRPCUserEmpty, m.get(ctxFor(t), "a/x"))
	lease, tooLong := pb.NewLeaseClient(m.conn), &pb.LeaseGrantRequest{TTL: state.MaxLeaseTTL + 1}
	_, err = lease.LeaseGrant(ctxFor(t), tooLong)
	requireStatus(t, rpctypes.ErrGRPCUserEmpty, err)
	_, err = lease.LeaseGrant(alice, tooLong)
	requireStatus(t, rpctypes.ErrGRPCLeaseTTLTooLarge, err)
	for _, wrong := range []string{"", "x", "x.1", "x.18446744073709551615"} {
		requireStatus(t, rpctypes.ErrGRPCInvalidAuthToken, m.get(withToken(t, wrong), "a/x"))
	}
	users, err := m.auth.UserList(root, &pb.AuthUserListRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"alice", "root"}, users.Users)
	requireHeaderOf(t, m, users.Header)
	self, err := m.auth.UserGet(alice, &pb.AuthUserGetRequest{Name: "alice"})
	require.NoError(t, err)
	require.Equal(t, []string{"app"}, self.Roles)

	_, err = m.auth.UserRevokeRole(root, &pb.AuthUserRevokeRoleRequest{Name: "alice", Role: "app"})
	require.NoError(t, err)
	requireStatus(t, rpctypes.ErrGRPCPermissionDenied, m.put(alice, "a/x"))
	requireStatus(t, rpctypes.ErrGRPCPermissionDenied, m.get(alice, "a/x"))
	_, err = m.auth.UserChangePassword(root, &pb.AuthUserChangePasswordRequest{Name: "alice", Password: "b"})
	require.NoError(t, err)
	requireStatus(t, rpctypes.ErrGRPCInvalidAuthToken, m.get(alice, "a/x"))
	m.login(t, "alice", "b")

	_, err = m.auth.AuthDisable(root, &pb.AuthDisableRequest{})
	require.NoError(t, err)
	require.NoError(t, m.put(withToken(t, "whatever"), "b/x"), "tokens do not matter any more")
	st, err := m.auth.AuthStatus(ctxFor(t), &pb.AuthStatusRequest{})
	require.NoError(t, err)
	require.False(t, st.Enabled)
	require.EqualValues(t, 10, st.AuthRevision)
}

func requireHeaderOf(t *testing.T, m *member, h *pb.ResponseHeader) {
	t.Helper()
	require.NotZero(t, h.ClusterId)
	require.NotZero(t, h.RaftTerm)
	require.NotZero(t, h.Revision)
	require.Equal(t, uint64(servertest.MemberID), h.MemberId)
}

func TestAuthOnEveryMember(t *testing.T) {
	z := memzk.New()
	one, two := startMember(t, z, "one", nil), startMember(t, z, "two", nil)
	root := one.enableAuth(t)
	alice := one.login(t, "alice", "a")
	// Serializable, so that nothing but the token itself makes two catch up.
	_, err := two.kv.Range(alice, &pb.RangeRequest{Key: []byte("a/x"), Serializable: true})
	require.NoError(t, err)
	require.NoError(t, two.put(alice, "a/x"))
	requireStatus(t, rpctypes.ErrGRPCPermissionDenied, two.put(alice, "b"))
	_, err = two.auth.UserChangePassword(root, &pb.AuthUserChangePasswordRequest{Name: "alice", Password: "b"})
	require.NoError(t, err)
	requireStatus(t, rpctypes.ErrGRPCInvalidAuthToken, two.get(alice, "a/x"))
	requireStatus(t, rpctypes.ErrGRPCInvalidAuthToken, one.get(alice, "a/x"))
	alice = two.login(t, "alice", "b")
	require.NoError(t, one.put(alice, "a/x"))

	// Who comes later has the users, and none of the tokens.
	three := startMember(t, z, "three", nil)
	requireStatus(t, rpctypes.ErrGRPCInvalidAuthToken, three.get(alice, "a/x"))
	require.NoError(t, three.put(three.login(t, "alice", "b"), "a/x"))
}

// A token that may have come from elsewhere is not called invalid by a member
// that cannot know.
func TestAuthWithoutZooKeeper(t *testing.T) {
	z := memzk.New()
	m := startMember(t, z, "one", nil, func(c *Config) { c.RequestTimeout = 300 * time.Millisecond })
	root := m.enableAuth(t)
	require.NoError(t, m.put(root, "k"))
	z.Stop()
	local := &pb.RangeRequest{Key: []byte("k"), Serializable: true}
	_, err := m.kv.Range(root, local)
	require.NoError(t, err)
	_, err = m.kv.Range(withToken(t, "x.18446744073709551615"), local)
	require.Equal(t, codes.Unavailable, status.Code(err), err)
	z.Start()
}

func TestAuthWatch(t *testing.T) {
	m := startMember(t, memzk.New(), "one", nil)
	create := func(ctx context.Context, key string) *pb.WatchResponse {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := m.watch.Watch(ctx)
		require.NoError(t, err)
		r := &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte(key)}}
		require.NoError(t, stream.Send(&pb.WatchRequest{RequestUnion: r}))
		resp, err := stream.Recv()
		require.NoError(t, err)
		require.True(t, resp.Created)
		return resp
	}
	require.False(t, create(ctxFor(t), "").Canceled)
	m.enableAuth(t)
	alice := m.login(t, "alice", "a")
	require.False(t, create(alice, "a/x").Canceled)
	for _, c := range []struct {
		ctx    context.Context
		reason error
	}{
		{alice, rpctypes.ErrGRPCPermissionDenied}, {ctxFor(t), rpctypes.ErrGRPCUserEmpty}, {withToken(t, "x"), rpctypes.ErrGRPCInvalidAuthToken},
	} {
		resp := create(c.ctx, "")
		require.True(t, resp.Canceled)
		require.EqualValues(t, -1, resp.WatchId)
		require.Equal(t, c.reason.Error(), resp.CancelReason)
	}
}

func TestAuthJWT(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte("secret"), 0o600))
	jwt, err := token.Parse("jwt,sign-method=HS256,priv-key=" + key)
	require.NoError(t, err)
	z := memzk.New()
	one, two := startMember(t, z, "one", jwt), startMember(t, z, "two", jwt)
	root := one.enableAuth(t)
	alice := one.login(t, "alice", "a")
	require.NoError(t, two.put(alice, "a/x"))
	require.NoError(t, two.get(alice, "a/x"))
	requireStatus(t, rpctypes.ErrGRPCInvalidAuthToken, two.put(withToken(t, "x.1"), "a/x"))
	bearer := metadata.AppendToOutgoingContext(ctxFor(t), "authorization", "Bearer "+tokenOf(alice))
	require.NoError(t, two.get(bearer, "a/x"))

	// Each token is of the auth revision at which it was made.
	_, err = two.auth.RoleAdd(root, &pb.AuthRoleAddRequest{Name: "more"})
	require.NoError(t, err)
	requireStatus(t, rpctypes.ErrGRPCAuthOldRevision, one.get(alice, "a/x"))
	requireStatus(t, rpctypes.ErrGRPCAuthOldRevision, one.put(root, "a/x"))
	_, err = one.auth.RoleAdd(root, &pb.AuthRoleAddRequest{Name: "evenmore"})
	require.NoError(t, err, "which does not matter to what only root may do")
	require.NoError(t, one.put(one.login(t, "alice", "a"), "a/x"))
}

func tokenOf(ctx context.Context) string {
	md, _ := metadata.FromOutgoingContext(ctx)
	return md.Get(rpctypes.TokenFieldNameGRPC)[0]
}

// clientv3 logs in by itself, and again when it has to.
func TestAuthClient(t *testing.T) {
	m := startMember(t, memzk.New(), "one", nil)
	root := m.enableAuth(t)
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{m.addr}, Username: "alice", Password: "a", Logger: zap.NewNop()})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Put(ctxFor(t), "a/x", "1")
	require.NoError(t, err)
	_, err = c.Put(ctxFor(t), "b", "1")
	require.ErrorIs(t, err, rpctypes.ErrPermissionDenied)
	_, err = m.auth.UserChangePassword(root, &pb.AuthUserChangePasswordRequest{Name: "alice", Password: "a"})
	require.NoError(t, err) // the token has ended
	resp, err := c.Get(ctxFor(t), "a/x")
	require.NoError(t, err)
	require.Len(t, resp.Kvs, 1)
	lease, err := c.Grant(ctxFor(t), 60)
	require.NoError(t, err)
	_, err = c.KeepAliveOnce(ctxFor(t), lease.ID)
	require.NoError(t, err)
}

// No password gets into the log of requests, nor into that of events.
func TestPasswordsStayHere(t *testing.T) {
	const secret = "tell-nobody"
	m := startMember(t, memzk.New(), "one", nil, func(c *Config) { c.SlowRequest = 1; c.Log.Logger.SetLevel(logrus.TraceLevel) })
	root := m.enableAuth(t)
	_, err := m.auth.UserAdd(root, &pb.AuthUserAddRequest{Name: "bob", Password: secret})
	require.NoError(t, err)
	m.login(t, "bob", secret)
	_, err = m.auth.UserChangePassword(root, &pb.AuthUserChangePasswordRequest{Name: "bob", Password: secret + "2"})
	require.NoError(t, err)
	_, err = m.auth.Authenticate(ctxFor(t), &pb.AuthenticateRequest{Name: "bob", Password: secret})
	require.Error(t, err)
	_, err = m.auth.UserAdd(root, &pb.AuthUserAddRequest{Name: "eve", Password: strings.Repeat(secret, 10)})
	require.Equal(t, "bcrypt: password length exceeds 72 bytes", status.Convert(err).Message())

	m.spy.mu.Lock()
	defer m.spy.mu.Unlock()
	require.Contains(t, string(m.spy.appended), "bob")
	require.False(t, bytes.Contains(m.spy.appended, []byte(secret)))
	require.NotEmpty(t, m.log.AllEntries())
	for _, e := range m.log.AllEntries() {
		require.NotContains(t, fmt.Sprint(e.Message, e.Data), secret)
	}
}

// A certificate's name is a user where no token is shown, but not that of a
// gateway's certificate.
func TestAuthByCertificate(t *testing.T) {
	a := newAuthority(t)
	files := newTLSFiles(t, a.sign("server"))
	files.trust(a)
	files.TLS.ClientCertAuth = true
	z := memzk.New()
	plain := startMember(t, z, "one", nil)
	plain.enableAuth(t)
	m := startMember(t, z, "two", nil, func(c *Config) {
		c.ClientURLs, c.TLS = []string{"https://127.0.0.1:0"}, files.TLS
	})
	root := plain.login(t, "root", "r")
	config := clientTLS(a, a.sign("alice"))
	m.kv = pb.NewKVClient(dialTLS(t, m.addr, config))
	require.NoError(t, m.put(ctxFor(t), "a/x"))
	requireStatus(t, rpctypes.ErrGRPCPermissionDenied, m.put(ctxFor(t), "b"))
	require.NoError(t, m.put(root, "b"), "a token counts for more")
	requireStatus(t, rpctypes.ErrGRPCInvalidAuthToken, m.put(withToken(t, "x"), "a/x"))
	gateway := metadata.AppendToOutgoingContext(ctxFor(t), gatewayHeader, "application/json")
	requireStatus(t, rpctypes.ErrGRPCUserEmpty, m.put(gateway, "a/x"))

	url := "https://" + m.addr + "/v3/kv/range"
	ask := func(config *tls.Config) (code int) {
		req, err := http.NewRequest("POST", url, strings.NewReader(`{"key":"Yi8="}`))
		require.NoError(t, err)
		req.Header.Set("Authorization", tokenOf(root))
		resp, err := httpsClient(t, config, false).Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	require.Equal(t, http.StatusBadRequest, ask(config))
	require.Equal(t, http.StatusOK, ask(clientTLS(a, a.sign(""))))
}
