package deploy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestKubeadmJoin has a second control plane join as docs/kubeadm.md says, with zkine as a static pod beside each API
// server. The first API server runs with the command that kubeadm init writes, the second with that of kubeadm join, which
// reads all it needs from the first; the certificates for zkine come along. Both machines' 127.0.0.1:2379 are ports here.
func TestKubeadmJoin(t *testing.T) {
	if !*kubeFlag {
		t.Skip("runs two API servers: make three-nodes")
	}
	at, err := rig.FreeAddresses(6)
	require.NoError(t, err)
	first, second := at[:3], at[3:] // of each the API server, zkine's clients and its probes
	k := newKubeadm(t, first[0])
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	store, pod := zktest.Root(t), readStaticPod(t).Spec.Containers[0].Command
	pki := filepath.Join(k.dir, "pki")

	here := k.config(external(first[1], pki+"/etcd/ca.crt", pki+"/apiserver-etcd-client"))
	// Before kubelet runs zkine, its version cannot be had; what else this machine lacks to be a node is ignored, too.
	out, err := k.try("preflight", "--dry-run", "--config", here, "--ignore-preflight-errors=all")
	require.NoError(t, err, out)
	require.Contains(t, out, "[WARNING ExternalEtcdVersion]")

	k.runStaticPod(pod, "cp1", store, first[1], first[2])
	runAPIServer(t, k.manifest("kube-apiserver", "control-plane", "apiserver", "--config", here), first[0])
	k.run("kubeconfig", "super-admin", "--config", here, "--kubeconfig-dir", k.dir)
	admin := k.admin()
	require.NoError(t, rig.Poll(ctx, func() error {
		_, err := admin.do(ctx, http.MethodGet, first[0], "/api/v1/namespaces/kube-system", "")
		return err
	}))
	k.run("upload-certs", "--upload-certs", "--config", here, "--kubeconfig", k.kubeconfig())
	there := k.config(external(second[1], k.joined()+"/zkine-ca.crt", k.joined()+"/apiserver-zkine"))
	k.run("upload-config", "all", "--config", there, "--kubeconfig", k.kubeconfig())
	k.run("bootstrap-token", "--config", there, "--kubeconfig", k.kubeconfig())

	// The second machine's zkine does not run yet, and a join does not ask for it.
	out, err = k.command("join", "--config", k.joinConfig(), "--dry-run", "--ignore-preflight-errors=all")
	require.NoError(t, err, out)
	require.NotContains(t, out, "ExternalEtcd")
	require.Contains(t, out, "[check-etcd] Skipping etcd check in external mode")
	for brought, made := range map[string]string{
		"zkine-ca.crt": "etcd/ca.crt", "apiserver-zkine.crt": "apiserver-etcd-client.crt", "apiserver-zkine.key": "apiserver-etcd-client.key",
	} {
		want, err := os.ReadFile(filepath.Join(pki, made))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(k.joined(), brought))
		require.NoError(t, err, out)
		require.Equal(t, string(want), string(got), brought)
	}

	k.runStaticPod(pod, "cp2", store, second[1], second[2])
	k.requireServes(ctx, "https://"+second[1])
	text, err := os.ReadFile(filepath.Join(k.joined(), "kube-apiserver.yaml"))
	require.NoError(t, err)
	text = bytes.ReplaceAll(text, []byte("/etc/kubernetes/pki"), []byte(k.joined()))
	runAPIServer(t, readManifest(t, text), second[0])
	require.NoError(t, rig.Poll(ctx, func() error {
		_, err := admin.do(ctx, http.MethodGet, second[0], "/readyz", "")
		return err
	}))
	const maps = "/api/v1/namespaces/kube-system/configmaps"
	_, err = admin.do(ctx, http.MethodPost, second[0], maps, `{"metadata":{"name":"joined"},"data":{"by":"cp2"}}`)
	require.NoError(t, err)
	answer, err := admin.do(ctx, http.MethodGet, first[0], maps+"/joined", "")
	require.NoError(t, err)
	require.Contains(t, answer, "cp2")
}

// external is what kubeadm is told of a zkine.
func external(endpoint, ca, pair string) string {
	return fmt.Sprintf("external:\n  endpoints: [\"https://%s\"]\n  caFile: %s\n  certFile: %[3]s.crt\n  keyFile: %[3]s.key\n", endpoint, ca, pair)
}

// kubeconfig is an administrator's.
func (k *kubeadm) kubeconfig() string { return filepath.Join(k.dir, "super-admin.conf") }

// joinConfig writes the configuration of a machine that joins.
func (k *kubeadm) joinConfig() string {
	k.t.Helper()
	path := filepath.Join(k.dir, "join.yaml")
	require.NoError(k.t, os.WriteFile(path, fmt.Appendf(nil, `apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  file: {kubeConfigPath: %q}
nodeRegistration: {name: cp2, criSocket: "unix:///run/none.sock"}
controlPlane:
  localAPIEndpoint: {advertiseAddress: 10.0.0.2}
  certificateKey: %q
`, k.kubeconfig(), certificateKey), 0o600))
	return path
}

// runAPIServer runs one with its manifest's command, but for the port.
func runAPIServer(t *testing.T, m manifest, address string) {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	command := m.Spec.Containers[0].Command
	require.Equal(t, "kube-apiserver", command[0])
	at := slices.Index(command, "--secure-port=6443")
	require.Positive(t, at, command)
	args := slices.Concat(command[1:at], command[at+1:], []string{"--secure-port=" + port, "--bind-address=127.0.0.1"})
	p, err := rig.Start(rig.Program{Path: rigtest.Component(t, command[0]), Args: args})
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Log(strings.Join(args, "\n"), tail(p.Output()))
		}
	})
}

// administrator is an HTTP client with an administrator's certificate.
type administrator struct{ http.Client }

func (k *kubeadm) admin() *administrator {
	k.t.Helper()
	text, err := os.ReadFile(k.kubeconfig())
	require.NoError(k.t, err)
	var config struct {
		Clusters []struct {
			Cluster struct {
				CA []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Cert []byte `json:"client-certificate-data"`
				Key  []byte `json:"client-key-data"`
			}
		}
	}
	require.NoError(k.t, yaml.Unmarshal(text, &config))
	pair, err := tls.X509KeyPair(config.Users[0].User.Cert, config.Users[0].User.Key)
	require.NoError(k.t, err)
	pool := x509.NewCertPool()
	require.True(k.t, pool.AppendCertsFromPEM(config.Clusters[0].Cluster.CA))
	return &administrator{http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}}}}
}

// do sends a request and returns the answer, if it is one of success.
func (a *administrator) do(ctx context.Context, method, address, path, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, "https://"+address+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if response.StatusCode/100 != 2 {
		err = errors.Join(err, fmt.Errorf("%s: %s", response.Status, text))
	}
	return string(text), err
}
