package secrets

import (
	"crypto/sha1" //nolint:gosec // it is what ZooKeeper takes
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// startWith starts a zkine that shows ZooKeeper the credentials of a file, and does not wait for it.
func startWith(t *testing.T, s *site, root, file string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth-file")
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	s.data, s.temp = filepath.Join(t.TempDir(), "data"), t.TempDir()
	var err error
	s.z, err = rig.NewZkine(rig.ZkineConfig{
		Program: rigtest.Program(t), Name: "known", ZooKeeper: zktest.Shared(t).Addr(), Root: root, DataDir: s.data,
		Args: []string{"--log-level=debug", "--enable-pprof", "--zookeeper-auth-file=" + path, "--temp-dir=" + s.temp, "--zookeeper-session-timeout=2s"},
	})
	require.NoError(t, err)
	require.NoError(t, s.z.Start())
	t.Cleanup(s.z.Kill)
}

// TestCredentialsAreNotTold has zkine authenticate to ZooKeeper, by what only a file holds.
func TestCredentialsAreNotTold(t *testing.T) {
	s, root := &site{T: t}, zktest.Root(t)
	password := s.secret("password towards ZooKeeper")
	startWith(t, s, root, "digest:zkine:"+password+"\n")
	require.NoError(t, s.z.AwaitServing(within(t)))
	conn, err := grpc.NewClient(s.z.Endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	_, err = pb.NewKVClient(conn).Put(within(t), putOf("a", "b"))
	require.NoError(t, err)

	// It was shown: what zkine has made is its own.
	client, _, err := zk.Connect([]string{zktest.Shared(t).Addr()}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.AddAuth("digest", []byte("zkine:"+password)))
	acl, _, err := client.GetACL(root + "/format")
	require.NoError(t, err)
	sum := sha1.Sum([]byte("zkine:" + password)) //nolint:gosec // see above
	require.Equal(t, "zkine:"+base64.StdEncoding.EncodeToString(sum[:]), acl[0].ID)

	places := append(s.askAll(), s.processes(map[string]int{"zkine": s.z.Pid()})...)
	s.search(append(append(places, s.files()...),
		place{"zkine's log", "serving etcd clients", []byte(s.z.Output())},
		place{"ZooKeeper's log", "INFO", []byte(zktest.Shared(t).LogTail(1000))})...)
}

// TestCredentialsThatFailAreNotTold has lines of the file that cannot be, and a server that does not take them.
func TestCredentialsThatFailAreNotTold(t *testing.T) {
	for name, c := range map[string]struct{ file, has string }{
		"no scheme":      {"S", "auth-file"},
		"other scheme":   {"S:zkine:S", "auth-file"},
		"no user":        {"digest:S", "auth-file"},
		"a certificate":  {"x509:S", "auth-file"},
		"too long":       {"digest:zkine:" + strings.Repeat("S", 4000), "auth-file"},
		"not taken here": {"sasl:zkine:S", "zkine"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &site{T: t}
			startWith(t, s, zktest.Root(t), strings.ReplaceAll(c.file, "S", s.secret(name)))
			if name == "not taken here" { // which may change
				_, err := s.z.Await(within(t), "level=(warning|error)")
				require.NoError(t, err)
			} else {
				code, err := s.z.Wait(within(t))
				require.NoError(t, err)
				require.Positive(t, code)
			}
			t.Log(s.z.Output())
			s.search(append(s.files(), place{"zkine's log", c.has, []byte(s.z.Output())})...)
		})
	}
}
