package deploy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"sigs.k8s.io/yaml"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// kubeadm is the real one, with the configuration that docs/kubeadm.md shows, certificates of its own, and without any
// change of the machine.
type kubeadm struct {
	t       *testing.T
	program string
	dir     string
	address string // of the API server, as clients and other machines are told; empty for the default
}

// certificateKey is what certificates are encrypted with on their way to machines that join.
const certificateKey = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func newKubeadm(t *testing.T, address string) *kubeadm {
	t.Helper()
	k := &kubeadm{t: t, program: rigtest.Component(t, "kubeadm"), dir: t.TempDir(), address: address}
	k.run("certs", "all", "--config", k.config("local: {}"))
	return k
}

// config writes a configuration with a piece of its own under etcd.
func (k *kubeadm) config(etcd string) string {
	k.t.Helper()
	path := filepath.Join(k.dir, "kubeadm.yaml")
	text := fmt.Sprintf(`apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.0.1}
nodeRegistration: {name: cp1, criSocket: "unix:///run/none.sock"}
patches: {directory: %q}
certificateKey: %q
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.2
certificatesDir: %q
controlPlaneEndpoint: %q
etcd:
  %s
`, k.patches(), certificateKey, filepath.Join(k.dir, "pki"), k.address, strings.ReplaceAll(strings.TrimSpace(etcd), "\n", "\n  "))
	require.NoError(k.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// patches are those that zkine ships.
func (k *kubeadm) patches() string {
	k.t.Helper()
	root, err := rig.Checkout()
	require.NoError(k.t, err)
	return filepath.Join(root, "deploy", "kubernetes", "kubeadm-patches")
}

// command runs kubeadm; what it would write of a dry run is in the folders dry and joined.
func (k *kubeadm) command(args ...string) (string, error) {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), k.program, args...)
	cmd.Env = append(os.Environ(), "KUBEADM_INIT_DRYRUN_DIR="+filepath.Join(k.dir, "dry"), "KUBEADM_JOIN_DRYRUN_DIR="+k.joined())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// joined is the folder in place of another machine's /etc/kubernetes.
func (k *kubeadm) joined() string { return filepath.Join(k.dir, "joined") }

func (k *kubeadm) try(phase ...string) (string, error) {
	k.t.Helper()
	return k.command(append([]string{"init", "phase"}, phase...)...)
}

func (k *kubeadm) run(phase ...string) string {
	k.t.Helper()
	out, err := k.try(phase...)
	require.NoError(k.t, err, out)
	return out
}

// manifest is a static pod's manifest that kubeadm would write.
type manifest struct {
	Spec struct {
		PriorityClassName string
		SecurityContext   struct{ RunAsUser *int }
		Containers        []struct {
			Image                         string
			Command                       []string
			Env                           []struct{ Name, Value string }
			LivenessProbe, ReadinessProbe map[string]any
			VolumeMounts                  []struct{ MountPath string }
		}
	}
}

// manifest has kubeadm write one, dry.
func (k *kubeadm) manifest(name string, phase ...string) (m manifest) {
	k.t.Helper()
	dir := filepath.Join(k.dir, "dry")
	require.NoError(k.t, os.MkdirAll(dir, 0o700))
	out := k.run(append(phase, "--dry-run")...)
	// It prints a manifest, or leaves it in the folder.
	_, text, printed := strings.Cut(out, fmt.Sprintf("/etc/kubernetes/manifests/%s.yaml\" with content:\n", name))
	if printed {
		text, _, _ = strings.Cut(text, "\nstatus: {}")
	} else {
		file, err := os.ReadFile(filepath.Join(dir, name+".yaml"))
		require.NoError(k.t, err, out)
		text = string(file)
	}
	return readManifest(k.t, []byte(text))
}

func readManifest(t *testing.T, text []byte) (m manifest) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal(text, &m), "%s", text)
	require.Len(t, m.Spec.Containers, 1)
	return m
}

// files are the client certificate that kubeadm gives the API server.
func (k *kubeadm) clientTLS() *tls.Config {
	k.t.Helper()
	pki := filepath.Join(k.dir, "pki")
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, "apiserver-etcd-client.crt"), filepath.Join(pki, "apiserver-etcd-client.key"))
	require.NoError(k.t, err)
	ca, err := os.ReadFile(filepath.Join(pki, "etcd", "ca.crt"))
	require.NoError(k.t, err)
	pool := x509.NewCertPool()
	require.True(k.t, pool.AppendCertsFromPEM(ca))
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}
}

// requireServes writes and reads as the API server would.
func (k *kubeadm) requireServes(ctx context.Context, endpoint string) {
	k.t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, TLS: k.clientTLS(), Logger: zap.NewNop()})
	require.NoError(k.t, err)
	defer client.Close()
	require.NoError(k.t, rig.Poll(ctx, func() error {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_, err := client.Put(once, "kubeadm", "yes")
		return err
	}))
}

// startZkine runs zkine by a name, with arguments.
func startZkine(t *testing.T, name string, env []string, args ...string) *rig.Process {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.Symlink(rigtest.Program(t), program))
	p, err := rig.Start(rig.Program{Path: program, Args: args, Env: env})
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Output())
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		code, err := p.Stop(ctx)
		require.NoError(t, err)
		require.Zero(t, code)
	})
	return p
}

// TestKubeadmStackedEtcd has kubeadm write the manifest of its own etcd, with zkine's image, and runs zkine with that
// very command: its 19 flags, certificates and probes.
func TestKubeadmStackedEtcd(t *testing.T) {
	k := newKubeadm(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m := k.manifest("etcd", "etcd", "local", "--config", k.config(fmt.Sprintf(`local:
  imageRepository: example.org
  imageTag: zkine
  dataDir: %q
  extraEnvs:
  - {name: ZKINE_ZOOKEEPER, value: %q}
  - {name: ZKINE_ZOOKEEPER_ROOT, value: %q}
`, t.TempDir(), zktest.Shared(t).Addr(), zktest.Root(t))))
	c := m.Spec.Containers[0]
	require.Equal(t, "example.org/etcd:zkine", c.Image)
	require.Equal(t, "etcd", c.Command[0])
	require.Len(t, c.Command, 1+19)
	require.Equal(t, "system-node-critical", m.Spec.PriorityClassName)
	require.NotNil(t, m.Spec.SecurityContext.RunAsUser, "the patch is applied: its keys and folder are root's")
	require.Zero(t, *m.Spec.SecurityContext.RunAsUser)

	ports, err := rig.FreeAddresses(2)
	require.NoError(t, err)
	_, client, err := net.SplitHostPort(ports[0])
	require.NoError(t, err)
	_, probes, err := net.SplitHostPort(ports[1])
	require.NoError(t, err)
	var args []string
	for _, arg := range c.Command[1:] {
		if strings.HasPrefix(arg, "--listen-client-urls=") { // both of its addresses are one here
			arg = "--listen-client-urls=https://127.0.0.1:2379"
		}
		args = append(args, strings.NewReplacer("10.0.0.1", "127.0.0.1", ":2379", ":"+client, ":2381", ":"+probes).Replace(arg))
	}
	env := []string{"ZKINE_IGNORE_ETCD_FLAGS=true"} // as in the image
	for _, e := range c.Env {
		env = append(env, e.Name+"="+e.Value)
	}
	p := startZkine(t, "etcd", env, args...)
	_, err = p.Await(ctx, "ignored, since they are etcd's and have no meaning here: .*--initial-cluster.*")
	require.NoError(t, err)
	for _, probe := range []map[string]any{c.LivenessProbe, c.ReadinessProbe} {
		path := probe["httpGet"].(map[string]any)["path"].(string)
		require.NoError(t, rig.Poll(ctx, func() error {
			code, body, err := rig.Probe(ctx, "http://127.0.0.1:"+probes+path)
			if err == nil && code != http.StatusOK {
				err = fmt.Errorf("%d %s", code, body)
			}
			return err
		}))
	}
	k.requireServes(ctx, "https://127.0.0.1:"+client)
}

// TestKubeadmExternalEtcd has kubeadm's preflight ask a zkine for its version, on URLs for HTTP alone, and write the
// manifest of an API server that reads and writes there.
func TestKubeadmExternalEtcd(t *testing.T) {
	k := newKubeadm(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ports, err := rig.FreeAddresses(2)
	require.NoError(t, err)
	pki := filepath.Join(k.dir, "pki")
	config := k.config(fmt.Sprintf(`external:
  endpoints: ["https://%s"]
  httpEndpoints: ["https://%s"]
  caFile: %[3]s/etcd/ca.crt
  certFile: %[3]s/apiserver-etcd-client.crt
  keyFile: %[3]s/apiserver-etcd-client.key
`, ports[0], ports[1], pki))
	startZkine(t, "zkine", nil, "server", "--zookeeper="+zktest.Shared(t).Addr(), "--zookeeper-root="+zktest.Root(t), "--data-dir="+t.TempDir(),
		"--listen-client-urls=https://"+ports[0], "--listen-client-http-urls=https://"+ports[1], "--listen-metrics-urls=",
		"--cert-file="+pki+"/etcd/server.crt", "--key-file="+pki+"/etcd/server.key", "--trusted-ca-file="+pki+"/etcd/ca.crt", "--client-cert-auth",
		"--watch-progress-notify-interval=5s")
	k.requireServes(ctx, "https://"+ports[0])

	// This machine is no node, so that other checks fail.
	out, err := k.try("preflight", "--dry-run", "--config", config, "--v=5")
	require.Error(t, err)
	require.Contains(t, out, "validating the external etcd version")
	require.NotContains(t, out, "[ERROR ExternalEtcd")
	require.NotContains(t, out, "[WARNING ExternalEtcd")

	c := k.manifest("kube-apiserver", "control-plane", "apiserver", "--config", config).Spec.Containers[0]
	require.Contains(t, c.Command, "--etcd-servers=https://"+ports[0])
	require.Contains(t, c.Command, "--etcd-cafile="+pki+"/etcd/ca.crt")
	var mounted []string
	for _, v := range c.VolumeMounts {
		mounted = append(mounted, v.MountPath)
	}
	require.Contains(t, mounted, pki, "the certificates are there in the pod")
}
