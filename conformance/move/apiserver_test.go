package move

import (
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// kube is a Kubernetes cluster of nothing but API servers: certificates and keys that stay the same while it moves from
// one store to the next. Without controllers nothing but the API server itself writes what the test did not ask for.
type kube struct {
	dir             string
	authority       *certs.Authority
	serving, tokens certs.Issued
	administrator   *http.Client
	started         int
}

// apiserver is a kube-apiserver that serves.
type apiserver struct {
	*rig.Process
	*api
}

func newKube(t testing.TB) *kube {
	t.Helper()
	dir := t.TempDir()
	authority, err := certs.New(dir)
	require.NoError(t, err)
	serving, err := authority.Issue(pkix.Name{CommonName: "serving"}, "127.0.0.1")
	require.NoError(t, err)
	// The key that signs the tokens of ServiceAccounts needs no certificate; it gets one all the same.
	tokens, err := authority.Issue(pkix.Name{CommonName: "service-accounts"})
	require.NoError(t, err)
	admin, err := authority.Issue(pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}})
	require.NoError(t, err)
	tls, err := authority.ClientConfig(admin)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true}}
	t.Cleanup(client.CloseIdleConnections)
	return &kube{dir: dir, authority: authority, serving: serving, tokens: tokens, administrator: client}
}

// on starts a kube-apiserver on a store, host:port, and returns when it is ready.
func (k *kube) on(t testing.TB, endpoint string, flags ...string) *apiserver {
	t.Helper()
	address, err := rig.FreeAddresses(1)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(address[0])
	require.NoError(t, err)
	k.started++
	log := filepath.Join(k.dir, fmt.Sprintf("kube-apiserver-%d.log", k.started))
	a := &apiserver{
		Process: rig.New(rig.Program{
			Name: "kube-apiserver", Path: rigtest.Component(t, "kube-apiserver"), Log: log,
			Args: append(k.flags(endpoint, port), flags...),
			// Should its cache ever differ from the store, it ends, loudly.
			Env: []string{"KUBE_WATCHCACHE_CONSISTENCY_CHECKER=true"},
		}),
		api: &api{server: "https://" + address[0], http: k.administrator},
	}
	t.Cleanup(func() { a.Kill() })
	require.NoError(t, a.Start())
	eventually(t, func() error {
		if err := a.Ended(); err != nil {
			return err
		}
		return a.get(within(t), "/readyz", nil)
	})
	return a
}

// flags are those of a secured API server on the loopback address.
func (k *kube) flags(endpoint, port string) []string {
	return []string{
		"--etcd-servers=http://" + endpoint,
		"--etcd-compaction-interval=0",
		"--bind-address=127.0.0.1", "--secure-port=" + port,
		// Written into the kubernetes Service's endpoints. Nobody connects to it: an address for documentation, since
		// one of loopback is refused.
		"--advertise-address=192.0.2.1",
		"--tls-cert-file=" + k.serving.CertFile, "--tls-private-key-file=" + k.serving.KeyFile,
		"--client-ca-file=" + k.authority.CertFile(),
		"--authorization-mode=Node,RBAC",
		// Pods without a controller that makes ServiceAccounts.
		"--disable-admission-plugins=ServiceAccount",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://move.invalid",
		"--service-account-key-file=" + k.tokens.CertFile,
		"--service-account-signing-key-file=" + k.tokens.KeyFile,
	}
}

// stop ends a kube-apiserver in peace: it writes nothing after that.
func (a *apiserver) stop(t testing.TB) {
	t.Helper()
	_, err := a.Stop(within(t))
	require.NoError(t, err)
	require.NoError(t, a.CheckOutput())
}
