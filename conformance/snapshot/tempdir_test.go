package snapshot

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestTempDir has zkines whose folder for temporary files is missing, read-only or too small: etcdctl ends at once,
// with what is to be done, and the zkine serves on. With room for it, the same snapshot can be restored.
func TestTempDir(t *testing.T) {
	for _, c := range []struct{ name, mount, code, text, warning string }{
		{"missing", "rmdir $dir", "FailedPrecondition", "no such file or directory", "snapshots cannot be made"},
		{"read-only", "mount -t tmpfs -o ro none $dir", "FailedPrecondition", "read-only file system", "snapshots cannot be made"},
		{"full", "mount -t tmpfs -o size=1m none $dir", "ResourceExhausted", "no space left on device; make room there", ""},
		{"large enough", "mount -t tmpfs -o size=16m none $dir", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			z, p := newMountedZkine(t, c.mount, dir)
			require.Equal(t, c.warning != "", strings.Contains(p.Output(), "snapshots cannot be made"), p.Output())
			for i := range 4 {
				_, err := z.Put(within(t), fmt.Sprint(i), strings.Repeat("x", 1<<20))
				require.NoError(t, err)
			}
			if c.code == "" {
				for range 8 { // each has the room again that the last one had
					require.Equal(t, 4, statusOf(t, z.save(t)).TotalKey)
				}
				require.Equal(t, int64(5), restore(t, z.save(t)).current(t))
				return
			}
			began := time.Now()
			out, err := z.trySave(t)
			require.Error(t, err)
			require.Less(t, time.Since(began), 20*time.Second)
			for _, want := range []string{"code = " + c.code, c.text, "--temp-dir", dir} {
				require.Contains(t, out, want)
			}
			_, err = z.Put(within(t), "after", "")
			require.NoError(t, err)
		})
	}
}

// trySave has etcdctl save a snapshot, which may fail, and returns what it printed.
func (s *store) trySave(t *testing.T) (string, error) {
	t.Helper()
	program := rigtest.Component(t, "etcdctl")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--endpoints="+s.endpoint, "snapshot", "save",
		filepath.Join(t.TempDir(), "snapshot.db")).CombinedOutput()
	return string(out), err
}

// newMountedZkine starts a zkine in a mount namespace of its own, where a command of the shell has prepared its
// folder for temporary files, $dir.
func newMountedZkine(t *testing.T, prepare, dir string) (*store, *rigtest.Zkine) {
	t.Helper()
	z := rigtest.StartAs(t, rig.ZkineConfig{
		ZooKeeper: zktest.Shared(t).Addr(), Root: zktest.Root(t), Args: []string{"--temp-dir=" + dir},
		Within: append(rigtest.Mounts(t), "sh", "-e", "-c", "dir=$1; shift; "+prepare+"; exec \"$@\"", "sh", dir),
	})
	return connect(t, z.Endpoint), z
}
