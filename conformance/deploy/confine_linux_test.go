package deploy

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestMain becomes a confined program where it is asked to, see confined.
func TestMain(m *testing.M) {
	if os.Getenv(Variable) != "" {
		fmt.Fprintln(os.Stderr, Enter(os.Args[1:]))
		os.Exit(127)
	}
	zktest.Main(m)
}

// shipped is a zkine as make build makes it, without the race detector: that uses memory as a JVM does.
var shipped = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return rig.BuildZkine(ctx, "-trimpath")
})

// confinement is that of the unit, with its drop-in or without, as a variable.
func confinement(t *testing.T, files ...string) string {
	t.Helper()
	root, err := rig.Checkout()
	require.NoError(t, err)
	for i := range files {
		files[i] = filepath.Join(root, files[i])
	}
	unit, err := ReadUnit(files...)
	require.NoError(t, err)
	groups, err := Groups(t.Context(), analyzer(t))
	require.NoError(t, err)
	c, err := Confine(t.Context(), unit, groups)
	require.NoError(t, err)
	require.Equal(t, []string{""}, unit["CapabilityBoundingSet"])
	text, err := c.Encode()
	require.NoError(t, err)
	return text
}

// confined is a zkine under that confinement.
func confined(t *testing.T, variable, zookeeper string) rig.ZkineConfig {
	t.Helper()
	t.Setenv("CGO_ENABLED", "0")
	program, err := shipped()
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	c := rig.ZkineConfig{
		Program: program, Within: []string{self}, Env: []string{variable, "TMPDIR=" + t.TempDir()},
		ZooKeeper: zookeeper, Name: "confined", DataDir: t.TempDir(),
	}
	if zookeeper != "" {
		c.Root = zktest.Root(t)
		return c
	}
	found, err := rig.FindZooKeeper()
	require.NoError(t, err)
	c.Env = append(c.Env, "ZOOKEEPER_HOME="+strings.TrimSuffix(found.Dir, "/usr/share/java"))
	return c
}

// use does what touches the system most: writes, a watch, a snapshot through a temporary file.
func use(t *testing.T, z *rigtest.Zkine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{z.Endpoint}, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Put(ctx, "confined", "yes")
	require.NoError(t, err)
	event := <-client.Watch(ctx, "confined", clientv3.WithRev(1))
	require.NoError(t, event.Err())
	snapshot, err := client.SnapshotWithVersion(ctx)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, snapshot.Snapshot)
	require.NoError(t, err)
	require.NoError(t, snapshot.Snapshot.Close())
	require.NoError(t, z.AwaitReady(ctx))
}

// TestZkineRunsConfined runs zkine with what the unit leaves it of capabilities and system calls: with a local ZooKeeper
// under the unit alone, on an ensemble under the drop-in as well.
func TestZkineRunsConfined(t *testing.T) {
	t.Run("local ZooKeeper", func(t *testing.T) {
		z := rigtest.StartAs(t, confined(t, confinement(t, unitFile), ""))
		use(t, z)
		z.Kill()
		z.Start()
		use(t, z)
		requireConfined(t, z.Pid())
	})
	t.Run("ensemble", func(t *testing.T) {
		z := rigtest.StartAs(t, confined(t, confinement(t, unitFile, dropIn), zktest.Shared(t).Addr()))
		use(t, z)
		requireConfined(t, z.Pid())
	})
}

// requireConfined looks at a process's capabilities and filter.
func requireConfined(t *testing.T, pid int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	require.Contains(t, string(status), "CapEff:\t0000000000000000\n")
	require.Contains(t, string(status), "NoNewPrivs:\t1\n")
	require.Contains(t, string(status), "Seccomp:\t2\n")
}

// TestConfinement shows that the filter is one: what the unit forbids fails, and the JVM needs what the drop-in forbids.
func TestConfinement(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	run := func(variable string, args ...string) (string, error) {
		path, err := exec.LookPath(args[0])
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), self, append([]string{path}, args[1:]...)...)
		cmd.Env = append(os.Environ(), variable)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	alone, withDropIn := confinement(t, unitFile), confinement(t, unitFile, dropIn)

	out, err := run(alone, "sh", "-c", "echo runs")
	require.NoError(t, err, out)
	out, err = run(alone, "chroot", "/", "true")
	require.ErrorContains(t, err, "exit status", out)
	require.Contains(t, out, "Operation not permitted")
	out, err = run(alone, "java", "-version")
	require.NoError(t, err, out)
	out, err = run(withDropIn, "java", "-version")
	require.Error(t, err, "%s", out)
}
