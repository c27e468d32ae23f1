package secure

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

func TestMain(m *testing.M) { zktest.Main(m) }

const (
	patience = 2 * time.Minute
	password = "the-password-of-this-test"
)

// place is one ZooKeeper, or an ensemble, with TLS on ports of their own.
type place struct {
	authority     *certs.Authority
	plain, secure []string
	// disturb ends the leader, if there is more than one server, and brings it back
	// after what is done meanwhile.
	disturb func(t *testing.T, meanwhile func())
}

func places(t *testing.T) map[string]place {
	authority := zktest.NewAuthority(t)
	options := []zktest.Option{zktest.WithTLS(t, authority), zktest.WithSASL(t, "zkine", password)}
	one, three := zktest.Start(t, options...), zktest.StartEnsemble(t, 3, options...)
	return map[string]place{
		"one server": {authority, []string{one.Addr()}, []string{one.SecureAddr()}, func(t *testing.T, meanwhile func()) {
			one.Restart()
			meanwhile()
		}},
		"three servers": {authority, three.Addrs(), three.SecureAddrs(), func(t *testing.T, meanwhile func()) {
			leader := three.Leader()
			leader.Kill()
			meanwhile()
			leader.Restart()
		}},
	}
}

// ways are how a zkine may prove itself, and the flags for it.
var ways = map[string]func(t *testing.T, p place) (servers []string, args []string){
	"certificate": func(t *testing.T, p place) ([]string, []string) {
		return p.secure, certificate(t, p, "certificate")
	},
	"digest": func(t *testing.T, p place) ([]string, []string) {
		return p.plain, authFile(t, "digest:zkine:"+password)
	},
	"sasl": func(t *testing.T, p place) ([]string, []string) {
		return p.plain, authFile(t, "sasl:zkine:"+password)
	},
	"all of them": func(t *testing.T, p place) ([]string, []string) {
		return p.secure, append(certificate(t, p, "all"), authFile(t, "digest:zkine:"+password+"\nsasl:zkine:"+password)...)
	},
}

func certificate(t *testing.T, p place, name string) []string {
	t.Helper()
	client := zktest.Issue(t, p.authority, pkix.Name{CommonName: name, Organization: []string{"Shop"}})
	return []string{
		"--zookeeper-cert-file=" + client.CertFile, "--zookeeper-key-file=" + client.KeyFile,
		"--zookeeper-trusted-ca-file=" + p.authority.CertFile(),
	}
}

func authFile(t *testing.T, lines string) []string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "auth")
	require.NoError(t, os.WriteFile(name, []byte(lines+"\n"), 0o600))
	return []string{"--zookeeper-auth-file=" + name}
}

var allWays = flag.Bool("all", false, "each way to prove itself, on one server and on three")

// brief are the ways that make test takes: each is in one of them.
var brief = map[string][]string{
	"one server":    {"digest", "sasl"},
	"three servers": {"all of them"},
}

// TestASecuredZkineServes: what it keeps is closed to others, is there after the
// leader was lost, and after a start of its own.
func TestASecuredZkineServes(t *testing.T) {
	for at, p := range places(t) {
		for way, secured := range ways {
			if !*allWays && !slices.Contains(brief[at], way) {
				continue
			}
			t.Run(at+", "+way, func(t *testing.T) {
				root := zktest.Root(t)
				servers, args := secured(t, p)
				// A busy log: packs, checkpoints and parts come soon.
				args = append(args, "--log-segment-slots=16", "--log-segment-bytes=100000", "--checkpoint-log-bytes=20000")
				z := rigtest.StartOn(t, strings.Join(servers, ","), root, args...)
				client := dial(t, z.Endpoint)
				fill(t, client, "before")
				requireClosed(t, p, root)
				p.disturb(t, func() { fill(t, client, "meanwhile") })
				fill(t, client, "after")
				z.Kill()
				z.Start()
				requireFilled(t, client, "before", "meanwhile", "after")
				requireClosed(t, p, root)
			})
		}
	}
}

func dial(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

const filled = 40 // keys of each name

// fill writes keys of a name, the last of which does not fit into one request to
// ZooKeeper. A write whose outcome is not known is written again.
func fill(t *testing.T, client *clientv3.Client, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range filled {
		for {
			_, err := client.Put(ctx, fmt.Sprintf("/%s/%02d", name, i), value(i))
			if err == nil {
				break
			}
			require.NoError(t, ctx.Err(), "%v", err)
		}
	}
}

func value(i int) string {
	if i == filled-1 {
		return string(bytes.Repeat([]byte("large, and it can be packed; "), 1<<20/29))
	}
	return fmt.Sprint("value ", i)
}

func requireFilled(t *testing.T, client *clientv3.Client, names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, name := range names {
		got, err := client.Get(ctx, "/"+name+"/", clientv3.WithPrefix())
		require.NoError(t, err)
		require.Len(t, got.Kvs, filled)
		for i, kv := range got.Kvs {
			require.Equal(t, fmt.Sprintf("/%s/%02d", name, i), string(kv.Key))
			require.Equal(t, value(i), string(kv.Value))
		}
	}
}

// requireClosed has strangers try at the root: one that says nothing of itself,
// and one with another password.
func requireClosed(t *testing.T, p place, root string) {
	t.Helper()
	for _, password := range []string{"", "another"} {
		conn, _, err := zk.Connect(p.plain, 20*time.Second, zk.WithLogInfo(false))
		require.NoError(t, err)
		defer conn.Close()
		if password != "" {
			require.NoError(t, conn.AddAuth("digest", []byte("zkine:"+password)))
		}
		_, _, err = conn.Children(root)
		require.ErrorIs(t, err, zk.ErrNoAuth)
		for _, path := range []string{root, root + "/format", root + "/log", root + "/members"} {
			_, _, err := conn.Get(path)
			require.ErrorIs(t, err, zk.ErrNoAuth, path)
			_, err = conn.Set(path, []byte("x"), -1)
			require.ErrorIs(t, err, zk.ErrNoAuth, path)
			_, err = conn.Create(path+"/x", nil, 0, zk.WorldACL(zk.PermAll))
			require.ErrorIs(t, err, zk.ErrNoAuth, path)
			_, err = conn.SetACL(path, zk.WorldACL(zk.PermAll), -1)
			require.ErrorIs(t, err, zk.ErrNoAuth, path)
		}
		require.ErrorIs(t, conn.Delete(root+"/format", -1), zk.ErrNoAuth)
	}
}
