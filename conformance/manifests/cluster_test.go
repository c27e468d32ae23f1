package manifests

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

var allFlag = flag.Bool("all", false, "ask a real kube-apiserver, too; it is built if it is missing")

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 3 * time.Minute

// cluster is a kube-apiserver on a zkine, and what kubectl and others need to reach it as an administrator.
type cluster struct {
	store          *rigtest.Zkine
	server         *rig.Process
	address        string
	authority      *certs.Authority
	serving, admin certs.Issued
	kubectl        string
	flags          []string
}

// startCluster starts an API server on a zkine.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	if !*allFlag {
		t.Skip("needs kube-apiserver, kubectl and helm; make manifests runs it")
	}
	z := rigtest.Start(t, "--zookeeper-session-timeout=20s")
	authority := zktest.NewAuthority(t)
	serving := zktest.Issue(t, authority, pkix.Name{CommonName: "kube-apiserver"}, "127.0.0.1")
	admin := zktest.Issue(t, authority, pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}})
	address, err := rig.FreeAddress("127.0.0.1")
	require.NoError(t, err)
	server := rig.New(rig.Program{Path: rigtest.Component(t, "kube-apiserver"), Args: []string{
		"--etcd-servers=http://" + z.Endpoint, "--bind-address=127.0.0.1", "--secure-port=" + address[strings.LastIndex(address, ":")+1:],
		"--advertise-address=192.0.2.1", "--service-cluster-ip-range=10.96.0.0/16", "--cert-dir=" + t.TempDir(),
		"--tls-cert-file=" + serving.CertFile, "--tls-private-key-file=" + serving.KeyFile, "--client-ca-file=" + authority.CertFile(),
		"--authorization-mode=RBAC", "--service-account-issuer=https://manifests.invalid",
		"--service-account-key-file=" + serving.CertFile, "--service-account-signing-key-file=" + serving.KeyFile,
	}})
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		server.Kill()
		if t.Failed() {
			t.Logf("kube-apiserver printed:\n%.20000s", server.Output())
		}
	})
	c := &cluster{
		store: z, server: server, address: address, authority: authority, serving: serving, admin: admin,
		kubectl: rigtest.Component(t, "kubectl"), flags: []string{
			"--server=https://" + address, "--certificate-authority=" + authority.CertFile(),
			"--client-certificate=" + admin.CertFile, "--client-key=" + admin.KeyFile, "--cache-dir=" + t.TempDir(),
		}}
	c.awaitReady(t)
	return c
}

// awaitReady waits until the API server says that it and its store are ready.
func (c *cluster) awaitReady(t *testing.T) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: zktest.ClientConfig(t, c.authority, c.admin)}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
	defer cancel()
	require.NoError(t, rig.Poll(ctx, func() error {
		if err := c.server.Ended(); err != nil {
			return err
		}
		resp, err := client.Get("https://" + c.address + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz: %s", resp.Status)
		}
		return nil
	}))
}

// run runs kubectl, with what it may read, and returns what it prints. It has to succeed, without a warning.
func (c *cluster) run(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, complaints := command(t, input, c.kubectl, append(args, c.flags...)...)
	require.NotContains(t, complaints, "Warning", "kubectl %v", args)
	return out
}

// command runs a program and returns what it prints, and what it complains of.
func command(t *testing.T, input, program string, args ...string) (out, complaints string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	require.NoError(t, cmd.Run(), "%s %v: %s", program, args, &stderr)
	return stdout.String(), stderr.String()
}

// restricted makes a namespace that refuses pods beyond PodSecurity restricted, and warns of workloads that would make some.
func (c *cluster) restricted(t *testing.T, name string) {
	t.Helper()
	c.run(t, "", "create", "namespace", name)
	for _, mode := range []string{"enforce", "warn", "audit"} {
		c.run(t, "", "label", "namespace", name, "pod-security.kubernetes.io/"+mode+"=restricted")
	}
}

// kinds installs those of Prometheus' operator.
func (c *cluster) kinds(t *testing.T) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "sh", "-c",
		"go mod download github.com/prometheus-operator/prometheus-operator && go list -m -f '{{.Dir}}' github.com/prometheus-operator/prometheus-operator")
	list.Dir = root(t, "conformance", "components", "prometheus-operator")
	dir, err := list.Output()
	require.NoError(t, err)
	crds := filepath.Join(strings.TrimSpace(string(dir)), "example", "prometheus-operator-crd")
	for _, kind := range []string{"servicemonitors", "prometheusrules"} {
		c.run(t, "", "create", "-f", filepath.Join(crds, "monitoring.coreos.com_"+kind+".yaml"))
		c.run(t, "", "wait", "--for=condition=Established", "crd/"+kind+".monitoring.coreos.com", "--timeout=60s")
	}
}

// TestTheAPIServerTakesThem has a real API server judge everything, field by field.
func TestTheAPIServerTakesThem(t *testing.T) {
	c := startCluster(t)
	c.kinds(t)
	strict := []string{"create", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-"}

	rendered := c.run(t, "", "kustomize", root(t, "deploy", "kubernetes", "overlay"))
	objects, err := Parse([]byte(rendered))
	require.NoError(t, err)
	c.run(t, read(t, "deploy", "kubernetes", "base", "namespace.yaml"), "create", "-f", "-")
	delete(objects, "Namespace/zkine")
	_, rest, found := strings.Cut(rendered, "---\n")
	require.True(t, found, "the namespace comes first")
	require.Len(t, strings.Fields(c.run(t, rest, strict...)), len(objects))

	dir := t.TempDir()
	command(t, "", root(t, "deploy", "kubernetes", "secrets.sh"), dir)
	secrets, err := os.ReadFile(filepath.Join(dir, "secrets.yaml"))
	require.NoError(t, err)
	require.Len(t, strings.Fields(c.run(t, string(secrets), strict...)), 3)

	helm := rigtest.Component(t, "helm")
	chart := root(t, "deploy", "helm", "zkine")
	command(t, "", helm, "lint", "--strict", chart)
	template := func(args ...string) string {
		// Built from its module, helm takes Kubernetes for an old one.
		out, _ := command(t, "", helm, append([]string{"template", "zkine", chart, "--namespace=zkine", "--kube-version=1.37.2"}, args...)...)
		return out
	}
	charted, err := Parse([]byte(template("--set=monitoring.enabled=true")))
	require.NoError(t, err)
	require.Equal(t, objects, charted, "the chart renders what the base does")
	other := template("--set=zookeeper.enabled=false,zookeeper.addresses=zk1:2281,settings.ZKINE_CLUSTER_ID=abc,replicas=3")
	require.Len(t, strings.Fields(c.run(t, other, strict...)), 4)
	require.Contains(t, other, `value: "abc"`)

	c.run(t, "", "create", "serviceaccount", "default", "-n", "kube-system") // as a controller does elsewhere
	require.Equal(t, "pod/zkine\n", c.run(t, read(t, "deploy", "kubernetes", "zkine-static-pod.yaml"), strict...))

	for _, seed := range []string{"zookeeper", "kubernetes", "zookeeper-kubernetes"} {
		c.restricted(t, "seed-"+seed)
		file := root(t, "deploy", "seed", seed+".yaml")
		c.run(t, "", "create", "--dry-run=server", "--validate=strict", "-n", "seed-"+seed, "-f", file)
		c.run(t, "", "create", "-n", "seed-"+seed, "-f", file)
		c.run(t, "", "delete", "-n", "seed-"+seed, "--wait=false", "-f", file)
	}
}

// TestWhatIsNotRestrictedIsSeen shows that warnings and misspelled fields would be.
func TestWhatIsNotRestrictedIsSeen(t *testing.T) {
	c := startCluster(t)
	c.restricted(t, "judge")
	text := read(t, "deploy", "seed", "zookeeper-kubernetes.yaml")
	create := func(text string) (string, error) {
		cmd := exec.CommandContext(t.Context(), c.kubectl, append([]string{"create", "--dry-run=server", "--validate=strict", "-n", "judge", "-f", "-"}, c.flags...)...)
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := create(strings.ReplaceAll(text, "        seccompProfile: {type: RuntimeDefault}\n", ""))
	require.NoError(t, err, out)
	require.Contains(t, out, "Warning: would violate PodSecurity")
	out, err = create(strings.Replace(text, "  serviceName: zookeeper", "  servicename: zookeeper", 1))
	require.Error(t, err)
	require.Contains(t, out, "servicename")
}
