package manifests

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// TestTheyRunOnSimulatedNodes has the base run as far as there are no containers: a controller manager, a scheduler, and
// kwok in place of kubelets, which lets pods become ready and go. All of them work on a zkine, which is killed by kill -9 on
// the way.
func TestTheyRunOnSimulatedNodes(t *testing.T) {
	c := startCluster(t)
	c.controllers(t)
	c.nodes(t, 4)
	c.volumes(t, 3)

	base := root(t, "deploy", "kubernetes", "base")
	c.run(t, "", "create", "-k", base)
	dir := t.TempDir()
	command(t, "", root(t, "deploy", "kubernetes", "secrets.sh"), dir)
	c.run(t, "", "create", "-f", filepath.Join(dir, "secrets.yaml"))
	c.rolledOut(t)
	zookeepers := c.nodesOf(t, "zookeeper")
	require.Len(t, zookeepers, 3)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(zookeepers))), 3, "no two on one node")
	require.Len(t, c.nodesOf(t, "zkine"), 2)

	for _, change := range []string{"statefulset/zookeeper", "deployment/zkine"} {
		_, name, _ := strings.Cut(change, "/")
		c.run(t, "", "-n", "zkine", "set", "image", change, name+"=new.invalid/"+name)
	}
	c.rolledOut(t)
	images := strings.Fields(c.run(t, "", "-n", "zkine", "get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].image}"))
	slices.Sort(images)
	require.Equal(t, []string{"new.invalid/zkine", "new.invalid/zookeeper"}, slices.Compact(images))

	c.store.Kill()
	c.store.Start()
	c.awaitReady(t)
	drained := c.nodesOf(t, "zookeeper")[0]
	c.run(t, "", "drain", drained, "--delete-emptydir-data", "--timeout=2m") // no pod before its disruption budget lets it
	c.rolledOut(t)
	zookeepers = c.nodesOf(t, "zookeeper")
	require.Len(t, zookeepers, 3)
	require.NotContains(t, append(zookeepers, c.nodesOf(t, "zkine")...), drained)

	c.run(t, "", "delete", "-k", base, "--timeout=2m")
	require.Empty(t, c.run(t, "", "get", "pods", "-A", "-o", "name"))
}

// rolledOut waits until all pods of the base run as they are described now.
func (c *cluster) rolledOut(t *testing.T) {
	t.Helper()
	for _, workload := range []string{"statefulset/zookeeper", "deployment/zkine"} {
		c.run(t, "", "-n", "zkine", "rollout", "status", workload, "--timeout="+patience.String())
	}
	// They have, while the last old pods are still on their way out.
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
	defer cancel()
	require.NoError(t, rig.Poll(ctx, func() error {
		pods := strings.Fields(c.run(t, "", "-n", "zkine", "get", "pods", "-o", "name"))
		if len(pods) != 5 {
			return fmt.Errorf("%d pods, not 5: %v", len(pods), pods)
		}
		return nil
	}))
}

// nodesOf are the nodes that the running pods of a workload are on.
func (c *cluster) nodesOf(t *testing.T, name string) []string {
	t.Helper()
	return strings.Fields(c.run(t, "", "-n", "zkine", "get", "pods", "-l", "app.kubernetes.io/name="+name,
		"--field-selector=status.phase=Running", "-o", "jsonpath={.items[*].spec.nodeName}"))
}

// nodes makes nodes in zones of their own, and waits until kwok has them ready.
func (c *cluster) nodes(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		c.run(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-%[1]d", "labels": {
			"kubernetes.io/hostname": "node-%[1]d", "topology.kubernetes.io/zone": "zone-%[1]d"}}}`, i), "create", "-f", "-")
	}
	c.run(t, "", "wait", "--for=condition=Ready", "node", "--all", "--timeout="+patience.String())
}

// volumes makes what claims are bound to.
func (c *cluster) volumes(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		c.run(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "volume-%d"}, "spec": {
			"capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}}}`, i), "create", "-f", "-")
	}
}

// controllers starts what makes pods, what places them, and kwok, which plays each node's kubelet.
func (c *cluster) controllers(t *testing.T) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "kubeconfig")
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "it",
		"contexts": []any{map[string]any{"name": "it", "context": map[string]string{"cluster": "it", "user": "admin"}}},
		"clusters": []any{map[string]any{"name": "it", "cluster": map[string]string{
			"server": "https://" + c.address, "certificate-authority": c.authority.CertFile()}}},
		"users": []any{map[string]any{"name": "admin", "user": map[string]string{
			"client-certificate": c.admin.CertFile, "client-key": c.admin.KeyFile}}},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, text, 0o600))
	for name, flags := range map[string][]string{
		"kube-controller-manager": {"--service-account-private-key-file=" + c.serving.KeyFile, "--root-ca-file=" + c.authority.CertFile()},
		"kube-scheduler":          nil,
	} {
		address, err := rig.FreeAddress("127.0.0.1")
		require.NoError(t, err)
		c.start(t, name, append(flags, "--kubeconfig="+config, "--leader-elect=false", "--bind-address=127.0.0.1",
			"--secure-port="+address[strings.LastIndex(address, ":")+1:], "--cert-dir="+t.TempDir())...)
	}
	flags := []string{"--kubeconfig=" + config, "--manage-all-nodes", "--node-lease-duration-seconds=40"}
	for _, stage := range []string{"node/fast/node-initialize", "pod/fast/pod-ready", "pod/fast/pod-complete", "pod/fast/pod-delete"} {
		flags = append(flags, "--config="+filepath.Join(kwokModule(t), "kustomize", "stage", stage+".yaml"))
	}
	c.start(t, "kwok", flags...)
}

// start starts a component, which ends with the test.
func (c *cluster) start(t *testing.T, name string, flags ...string) {
	t.Helper()
	p := rig.New(rig.Program{Path: rigtest.Component(t, name), Args: flags, Env: []string{"HOME=" + t.TempDir()}})
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		if err := p.Ended(); err != nil {
			t.Error(err)
		}
		p.Kill()
		if t.Failed() {
			t.Logf("%s printed:\n%.20000s", name, p.Output())
		}
	})
}

// kwokModule is the folder of kwok's module, with the stages that kwok itself ships.
func kwokModule(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok")
	list.Dir = root(t, "conformance", "components", "kwok")
	dir, err := list.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(dir))
}
