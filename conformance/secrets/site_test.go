package secrets

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { zktest.Main(m) }

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// site is a zkine with a ZooKeeper of its own, users that count, and a client without TLS.
type site struct {
	*testing.T
	z *rig.Zkine
	// secure is host:port of the URL with TLS, which wants a certificate of its clients.
	secure    string
	authority *certs.Authority
	own       certs.Issued // the server's
	// data and temp are its folders.
	data, temp string
	format     string
	// signing is the secret of JSON web tokens; "" with simple ones.
	signing string

	conn *grpc.ClientConn
	kv   pb.KVClient
	auth pb.AuthClient
	// passwords and tokens are those of root, alice and mallory.
	passwords, tokens map[string]string

	// secrets are all markers so far.
	secrets []marker
	// told is what clients were answered, for others to see; see hear.
	told strings.Builder
}

// startSite starts the zkine with everything on that writes.
func startSite(t *testing.T, format string, more ...string) *site {
	s := &site{T: t, authority: zktest.NewAuthority(t), data: filepath.Join(t.TempDir(), "data"), temp: t.TempDir(), format: format, passwords: map[string]string{}, tokens: map[string]string{}}
	s.own = s.issue("server")
	addresses, err := rig.FreeAddresses(1)
	require.NoError(t, err)
	s.secure = addresses[0]
	distribution, err := rig.FindZooKeeper()
	require.NoError(t, err)
	s.z, err = rig.NewZkine(rig.ZkineConfig{
		Program: rigtest.Program(t), Name: "site", DataDir: s.data,
		Env: []string{"ZOOKEEPER_HOME=" + distribution.Dir, "TMPDIR=" + s.temp},
		Args: append([]string{
			"--listen-client-urls=https://" + s.secure, "--temp-dir=" + s.temp,
			"--log-level=debug", "--log-format=" + format, "--enable-pprof", fmt.Sprintf("--bcrypt-cost=%d", bcrypt.MinCost),
			"--cert-file=" + s.own.CertFile, "--key-file=" + s.own.KeyFile,
			"--trusted-ca-file=" + s.authority.CertFile(), "--client-cert-auth",
			"--log-segment-slots=16", "--checkpoint-log-bytes=1", // housekeeping never rests
		}, more...),
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		s.z.Kill()
		if t.Failed() {
			t.Logf("zkine printed:\n%.20000s", s.z.Output())
		}
	})
	require.NoError(t, s.z.Up(within(t)))
	s.secrets = append(s.secrets, s.zooKeeperSecret())
	s.conn, err = grpc.NewClient(s.z.Endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { s.conn.Close() })
	s.kv, s.auth = pb.NewKVClient(s.conn), pb.NewAuthClient(s.conn)
	return s
}

// zooKeeperSecret is that by which the local ZooKeeper knows its zkine.
func (s *site) zooKeeperSecret() marker {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.data, "data", "secret"))
	require.NoError(s, err)
	_, secret, found := strings.Cut(strings.TrimSpace(string(text)), "digest:zkine:")
	require.True(s, found)
	require.Greater(s, len(secret), 2*partLength)
	return markerOf("secret of the local ZooKeeper", " "+secret)
}

// tokenFlag makes zkine sign JSON web tokens with a secret of its own.
func tokenFlag(t *testing.T) (flag, secret string, m marker) {
	m, secret = newMarker("key of the tokens")
	file := filepath.Join(t.TempDir(), "jwt-key")
	require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
	return "--auth-token=jwt,sign-method=HS256,ttl=1h,priv-key=" + file, secret, m
}

// secret makes a marker of a class, which counts from now on.
func (s *site) secret(class string) string {
	m, text := newMarker(class)
	s.secrets = append(s.secrets, m)
	return text
}

// hear notes what a client was answered that did not have the secret, or that need not be told it again.
func (s *site) hear(answer string) { s.told.WriteString(answer + "\n") }

// refused requires that a call failed so, and notes what was answered.
func (s *site) refused(err error, want string) {
	s.Helper()
	require.ErrorContains(s, err, want)
	s.hear(err.Error())
}

// as is the context of calls with a user's token.
func (s *site) as(user string) context.Context {
	s.Helper()
	return metadata.AppendToOutgoingContext(within(s.T), "token", s.tokens[user])
}

// login gets a token for a user, which is a secret itself.
func (s *site) login(user, password string) error {
	resp, err := s.auth.Authenticate(within(s.T), &pb.AuthenticateRequest{Name: user, Password: password})
	if err != nil {
		return err
	}
	s.tokens[user] = resp.Token
	part := resp.Token
	if s.signing != "" { // what comes before the signature is known to all
		part = part[strings.LastIndexByte(part, '.'):]
	} else {
		part = " " + part
	}
	s.secrets = append(s.secrets, markerOf("token of "+user, part))
	require.NotEmpty(s, s.secrets[len(s.secrets)-1].parts)
	return nil
}

// enableAuth makes users with passwords: root, alice, who may do anything below a/, and mallory, who may do nothing.
func (s *site) enableAuth() {
	ctx := within(s.T)
	for _, user := range []string{"root", "alice", "mallory"} {
		s.passwords[user] = s.secret("password of " + user)
		_, err := s.auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: user, Password: s.passwords[user]})
		require.NoError(s, err)
	}
	_, err := s.auth.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "app"})
	require.NoError(s, err)
	perm := &authpb.Permission{PermType: authpb.Permission_READWRITE, Key: []byte("a/"), RangeEnd: []byte("a0")}
	_, err = s.auth.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: "app", Perm: perm})
	require.NoError(s, err)
	for user, role := range map[string]string{"root": "root", "alice": "app"} {
		_, err = s.auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: user, Role: role})
		require.NoError(s, err)
	}
	_, err = s.auth.AuthEnable(ctx, &pb.AuthEnableRequest{})
	require.NoError(s, err)
	for user, password := range s.passwords {
		require.NoError(s, s.login(user, password))
	}
}

// read is what root finds at a key.
func (s *site) read(key string) string {
	s.Helper()
	resp, err := s.kv.Range(s.as("root"), &pb.RangeRequest{Key: []byte(key)})
	require.NoError(s, err)
	require.Len(s, resp.Kvs, 1, key)
	return string(resp.Kvs[0].Value)
}

// holds requires that a secret is what root finds at a key: it was planted.
func (s *site) holds(key, secret string) {
	s.Helper()
	require.Contains(s, s.read(key), secret)
}

// lacks requires that there is no such key: the request that had the secret was refused.
func (s *site) lacks(key string) {
	s.Helper()
	resp, err := s.kv.Range(s.as("root"), &pb.RangeRequest{Key: []byte(key)})
	require.NoError(s, err)
	require.Empty(s, resp.Kvs)
}

// issue makes a certificate for 127.0.0.1, and for the client of that name. Its key is a secret.
func (s *site) issue(name string) certs.Issued {
	s.Helper()
	issued := zktest.Issue(s, s.authority, pkix.Name{CommonName: name}, "127.0.0.1")
	text, err := os.ReadFile(issued.KeyFile)
	require.NoError(s, err)
	block, _ := pem.Decode(text)
	require.NotNil(s, block)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(s, err)
	// The bytes around the number are known to all: those before it name the algorithm, those behind it are the public key.
	number, err := key.(*ecdsa.PrivateKey).Bytes()
	require.NoError(s, err)
	require.Contains(s, string(block.Bytes), string(number))
	s.secrets = append(s.secrets, markerOf("key of the certificate of "+name, " "+string(number)))
	return issued
}

// clientTLS is for a client whose certificate has that name; "" is for one without.
func (s *site) clientTLS(name string) *tls.Config {
	s.Helper()
	if name == "" {
		return zktest.ClientConfig(s, s.authority)
	}
	return zktest.ClientConfig(s, s.authority, s.issue(name))
}
