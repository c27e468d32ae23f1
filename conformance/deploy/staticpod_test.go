package deploy

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/zktest"
)

// staticPod is the manifest of a zkine beside each API server.
const staticPod = "deploy/kubernetes/zkine-static-pod.yaml"

// readStaticPod reads it from the checkout.
func readStaticPod(t *testing.T) manifest {
	t.Helper()
	root, err := rig.Checkout()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, staticPod))
	require.NoError(t, err)
	return readManifest(t, text)
}

// runStaticPod runs zkine with the manifest's command: but for ZooKeeper's addresses and certificates, for folders and
// ports, which are here those for clients and for probes. Its certificates are those that kubeadm makes for its own etcd,
// with the same names.
func (k *kubeadm) runStaticPod(command []string, name, zookeeperRoot, clients, probes string) {
	k.t.Helper()
	words := strings.NewReplacer("127.0.0.1:2379", clients, "127.0.0.1:2381", probes,
		"/etc/kubernetes/pki/zkine", filepath.Join(k.dir, "pki", "etcd"), "/var/lib/zkine", k.t.TempDir(),
		"zk1:2281,zk2:2281,zk3:2281", zktest.Shared(k.t).Addr(), "/zkine/prod", zookeeperRoot)
	args := slices.DeleteFunc(slices.Clone(command[1:]), func(arg string) bool {
		return strings.HasPrefix(arg, "--zookeeper-") && strings.Contains(arg, "-file=") // this ZooKeeper has no TLS
	})
	require.Len(k.t, args, len(command)-1-3)
	for i := range args {
		args[i] = words.Replace(args[i])
	}
	// The machine's name, which is another on each, is what a zkine is called.
	startZkine(k.t, "zkine", []string{"ZKINE_NAME=" + name}, args...)
}

// TestStaticPod holds the manifest against that of kubeadm's own etcd, and runs zkine with its command.
func TestStaticPod(t *testing.T) {
	k := newKubeadm(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	pod := readStaticPod(t)
	c, etcd := pod.Spec.Containers[0], k.manifest("etcd", "etcd", "local", "--config", k.config("local: {}"))
	require.Equal(t, etcd.Spec.PriorityClassName, pod.Spec.PriorityClassName)
	require.Equal(t, etcd.Spec.Containers[0].LivenessProbe, c.LivenessProbe)
	require.Equal(t, etcd.Spec.Containers[0].ReadinessProbe, c.ReadinessProbe)
	require.Equal(t, "zkine", c.Command[0])

	ports, err := rig.FreeAddresses(2)
	require.NoError(t, err)
	k.runStaticPod(c.Command, "cp1", zktest.Root(t), ports[0], ports[1])
	for _, path := range []string{"/livez", "/readyz"} {
		require.NoError(t, rig.Poll(ctx, func() error {
			code, body, err := rig.Probe(ctx, "http://"+ports[1]+path)
			if err == nil && code != http.StatusOK {
				err = fmt.Errorf("%d %s", code, body)
			}
			return err
		}))
	}
	k.requireServes(ctx, "https://"+ports[0])
}
