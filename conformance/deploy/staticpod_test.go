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
	"sigs.k8s.io/yaml"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/zktest"
)

// staticPod is the manifest of a zkine beside each API server.
const staticPod = "deploy/kubernetes/zkine-static-pod.yaml"

// TestStaticPod holds the manifest against that of kubeadm's own etcd, and runs zkine with its command: but for ZooKeeper's
// addresses and certificates, for ports and folders.
func TestStaticPod(t *testing.T) {
	k := newKubeadm(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	root, err := rig.Checkout()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, staticPod))
	require.NoError(t, err)
	var pod manifest
	require.NoError(t, yaml.Unmarshal(text, &pod))
	c, etcd := pod.Spec.Containers[0], k.manifest("etcd", "etcd", "local", "--config", k.config("local: {}"))
	require.Equal(t, etcd.Spec.PriorityClassName, pod.Spec.PriorityClassName)
	require.Equal(t, etcd.Spec.Containers[0].LivenessProbe, c.LivenessProbe)
	require.Equal(t, etcd.Spec.Containers[0].ReadinessProbe, c.ReadinessProbe)
	require.Equal(t, "zkine", c.Command[0])

	ports, err := rig.FreeAddresses(2)
	require.NoError(t, err)
	pki := filepath.Join(k.dir, "pki", "etcd") // kubeadm's, with the same names
	words := strings.NewReplacer("127.0.0.1:2379", ports[0], "127.0.0.1:2381", ports[1], "/etc/kubernetes/pki/zkine", pki,
		"/var/lib/zkine", t.TempDir(), "zk1:2281,zk2:2281,zk3:2281", zktest.Shared(t).Addr(), "/zkine/prod", zktest.Root(t))
	args := slices.DeleteFunc(slices.Clone(c.Command[1:]), func(arg string) bool {
		return strings.HasPrefix(arg, "--zookeeper-") && strings.Contains(arg, "-file=") // this ZooKeeper has no TLS
	})
	require.Len(t, args, len(c.Command)-1-3)
	for i := range args {
		args[i] = words.Replace(args[i])
	}
	startZkine(t, "zkine", nil, args...)
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
