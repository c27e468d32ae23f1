package k3s

import (
	"context"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/k3s-io/kine/pkg/client"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	// kine's client has no other way to keep etcd's from logging each retry.
	if err := os.Setenv("ETCD_CLIENT_DEBUG", "fatal"); err != nil {
		panic(err)
	}
	zktest.Main(m)
}

// program is this checkout's zkine as make build makes it: this module's tests run without cgo, which would compile a
// database for kine, and the race detector needs it.
var program = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return rig.BuildZkine(ctx, "-trimpath")
})

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
	t.Cleanup(cancel)
	return ctx
}

// site is a store that several servers of a cluster share: two zkines on one ensemble, or an etcd.
type site struct {
	plain  Datastore // http://
	secure Datastore // https://, with a client's certificate
	hurt   func()    // kills one of several servers of the store; nil where there is but one
}

// start starts a store and returns its addresses, host:port, and what site.hurt is.
type start func(t *testing.T, a *certs.Authority) (plain, secure []string, hurt func())

// onBoth makes a check of a zkine and of an etcd: it holds for both, or one of them is not understood.
func onBoth(t *testing.T, check func(t *testing.T, s site)) {
	t.Helper()
	t.Parallel()
	for name, start := range map[string]start{"zkine": startZkines, "etcd": startEtcd} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authority := zktest.NewAuthority(t)
			plain, secure, hurt := start(t, authority)
			user := zktest.Issue(t, authority, pkix.Name{CommonName: "k3s"})
			check(t, site{
				plain: Datastore{Endpoint: "http://" + strings.Join(plain, ",http://")},
				secure: Datastore{
					Endpoint: "https://" + strings.Join(secure, ",https://"),
					CAFile:   authority.CertFile(), CertFile: user.CertFile, KeyFile: user.KeyFile,
				},
				hurt: hurt,
			})
		})
	}
}

// tlsArgs has a zkine or an etcd, whose flags for it are the same, serve TLS as well and demand certificates there.
func tlsArgs(t *testing.T, a *certs.Authority, plain string) (args []string, secure string) {
	t.Helper()
	secure, err := rig.FreeAddress("127.0.0.1")
	require.NoError(t, err)
	own := zktest.Issue(t, a, pkix.Name{CommonName: "store"}, "127.0.0.1", "localhost")
	urls := "http://" + plain + ",https://" + secure
	return []string{
		"--listen-client-urls=" + urls, "--advertise-client-urls=" + urls,
		"--cert-file=" + own.CertFile, "--key-file=" + own.KeyFile,
		"--trusted-ca-file=" + a.CertFile(), "--client-cert-auth",
	}, secure
}

// startZkines starts two on a root of the shared ZooKeeper.
func startZkines(t *testing.T, a *certs.Authority) (plain, secure []string, hurt func()) {
	t.Helper()
	root := zktest.Root(t)
	path, err := program()
	require.NoError(t, err)
	for i := range 2 {
		address, err := rig.FreeAddress("127.0.0.1")
		require.NoError(t, err)
		args, tls := tlsArgs(t, a, address)
		z, err := rig.NewZkine(rig.ZkineConfig{
			Program: path, Name: fmt.Sprint("server", i), DataDir: t.TempDir(),
			ZooKeeper: zktest.Shared(t).Addr(), Root: root, Args: append(args, "--zookeeper-session-timeout=20s"),
		})
		require.NoError(t, err)
		z.Endpoint = address
		run(t, z.Process, func(ctx context.Context) error { return z.Up(ctx) })
		plain, secure, hurt = append(plain, address), append(secure, tls), z.Kill
	}
	return plain, secure, hurt
}

// startEtcd starts one.
func startEtcd(t *testing.T, a *certs.Authority) (plain, secure []string, hurt func()) {
	t.Helper()
	address, err := rig.FreeAddress("127.0.0.1")
	require.NoError(t, err)
	args, tls := tlsArgs(t, a, address)
	e, err := rig.NewEtcd(rig.EtcdConfig{
		Program: rigtest.Component(t, "etcd"), Name: "etcd", DataDir: t.TempDir(), Args: append(args, "--unsafe-no-fsync"),
	})
	require.NoError(t, err)
	e.Endpoint = address
	run(t, e.Process, func(ctx context.Context) error { return e.Up(ctx) })
	return []string{address}, []string{tls}, nil
}

// run starts a process and ends it with the test.
func run(t *testing.T, p *rig.Process, up func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s printed:\n%.20000s", p.Name, p.Output())
		}
	})
	require.NoError(t, up(within(t)))
}

func connect(t *testing.T, d Datastore) client.Client {
	t.Helper()
	c, err := d.Open(within(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() }) // it may be closed
	return c
}

// server is one with a store of its own, quick to take a lock's holder for dead.
func server(t *testing.T, d Datastore, token string) Server {
	t.Helper()
	return Server{Store: connect(t, d), Token: token, Period: 100 * time.Millisecond, Attempts: 5}
}
