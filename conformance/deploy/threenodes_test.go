package deploy

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// threeNodes is the document whose commands are run on three machines.
const threeNodes = "docs/three-nodes.md"

// kubeSection is the section that needs kube-apiserver.
const kubeSection = "kube-apiserver"

var kubeFlag = flag.Bool("kube", false, "run what has a kube-apiserver, too, which is built if it is missing: its section of docs/three-nodes.md, and a join by kubeadm")

// TestThreeNodes runs the commands of docs/three-nodes.md as written, on three machines made of namespaces. A block says in
// its first line where it belongs.
func TestThreeNodes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for namespaces")
	}
	rigtest.Mounts(t)
	root, err := rig.Checkout()
	require.NoError(t, err)
	blocks, err := Blocks(filepath.Join(root, threeNodes))
	require.NoError(t, err)
	nodes := []string{"node1", "node2", "node3"}
	shells := startNodes(t, root, nodes)
	for _, block := range blocks {
		if block.Section == kubeSection && !*kubeFlag {
			continue
		}
		where, _, _ := strings.Cut(block.Text, "\n")
		where = strings.TrimPrefix(where, "# ")
		var all errgroup.Group
		ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
		defer cancel()
		for _, name := range map[string][]string{"admin": {"admin"}, "each": nodes, nodes[0]: nodes[:1], nodes[1]: nodes[1:2], nodes[2]: nodes[2:]}[where] {
			require.Contains(t, shells, name)
			all.Go(func() error { return shells[name].Run(ctx, block.Text) })
		}
		require.NoError(t, all.Wait(), "%s:%d, under %q, for %s", threeNodes, block.Line, block.Section, where)
		require.Contains(t, append(nodes, "admin", "each"), where, "%s:%d says for whom it is", threeNodes, block.Line)
	}
}

// startNodes starts the machines, and a shell on each and one for the operator, in a folder like a checkout.
func startNodes(t *testing.T, root string, nodes []string) map[string]*Shell {
	t.Helper()
	files := filepath.Join(root, "conformance", "deploy", "testdata")
	machines, err := os.MkdirTemp("", "machines-")
	require.NoError(t, err)
	t.Cleanup(func() { os.Remove(machines) }) // empty: what was mounted there is gone
	work := t.TempDir()
	m, err := StartMachines(filepath.Join(files, "machines.sh"), machines, filepath.Dir(work), root, nodes...)
	require.NoError(t, err)
	t.Cleanup(m.End)

	t.Setenv("CGO_ENABLED", "0")
	zkine, err := shipped()
	require.NoError(t, err)
	checkout := filepath.Join(work, "checkout")
	require.NoError(t, os.MkdirAll(filepath.Join(checkout, "bin"), 0o755))
	require.NoError(t, os.Symlink(zkine, filepath.Join(checkout, "bin", "zkine")))
	require.NoError(t, os.Symlink(filepath.Join(root, "deploy"), filepath.Join(checkout, "deploy")))
	path := []string{files, filepath.Dir(rigtest.Component(t, "etcdctl"))}
	if *kubeFlag {
		rigtest.Component(t, kubeSection)
	}
	env := []string{
		"PATH=" + strings.Join(append(path, os.Getenv("PATH")), ":"), "MACHINES=" + machines,
		"ZOOKEEPER_CLASSPATH=" + classPath(t), javaOptions, "HOME=/root", "TMPDIR=/tmp",
	}
	shells := map[string]*Shell{}
	for name, place := range map[string]string{"admin": checkout, nodes[0]: "/root", nodes[1]: "/root", nodes[2]: "/root"} {
		machine := name
		if name == "admin" {
			machine = ""
		}
		dir := filepath.Join(work, name)
		require.NoError(t, os.Mkdir(dir, 0o755))
		shell, err := m.Shell(machine, dir, env...)
		require.NoError(t, err)
		shells[name] = shell
		t.Cleanup(func() {
			shell.End()
			if t.Failed() {
				t.Logf("%s:\n%s\n%s", name, tail(shell.Log()), m.Services(name))
			}
		})
		require.NoError(t, shell.Run(t.Context(), "cd "+place+"\n"))
	}
	return shells
}
