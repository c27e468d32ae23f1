package move

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/embedded"
)

// TestFullDisk has an export write to a disk that is too small: one line says so, and nothing is left there.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	inside := rigtest.Mounts(t)
	zkine := newZkine(t)
	for _, key := range []string{"a", "b", "c"} {
		put(t, zkine, key, strings.Repeat("x", 1<<20))
	}
	dir := t.TempDir()
	// What is left is listed by a shell in the same namespace, which is the only place where the disk is seen.
	script := `dir=$1; shift; mount -t tmpfs -o size=1m none $dir; code=0; "$@" || code=$?; ls -A $dir; exit $code`
	args := append(slices.Clone(inside[1:]), "sh", "-c", script, "sh", dir, program(t))
	r := finish(t, command(t, inside[0], append(args, zkine.exportArgs("--snapshot="+filepath.Join(dir, "snapshot.db"))...)...))
	require.Positive(t, r.code, "%s", r)
	requireOneLine(t, r, "no space left on device", dir)
	require.Empty(t, strings.TrimSpace(r.out), "something is left on the disk")
}

func put(t testing.TB, s *store, key, value string) {
	t.Helper()
	_, err := s.Put(within(t), key, value)
	require.NoError(t, err)
}

// TestFullEnsemble has the disk of the ZooKeeper fill during an import: one line says so, and the same command goes on
// and ends well once there is room.
func TestFullEnsemble(t *testing.T) {
	long(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	source := bulk(t)
	disk := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	z, err := rig.StartZooKeepers(within(t), 1, embedded.Config{DataDir: disk})
	require.NoError(t, err)
	t.Cleanup(z.Kill)
	into := root{z.Addresses(), "/moved"}
	r := zkine(t, into.importArgs("--endpoints="+source.endpoint, "--timeout=10s")...)
	require.Positive(t, r.code, "%s", r)
	lines := strings.Split(strings.TrimSpace(r.err), "\n") // those before are of its progress
	require.Contains(t, lines[len(lines)-1], "zkine: ZooKeeper at "+z.Addresses())
	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=1g"))
	eventually(t, func() error { return z.Serve(within(t)) })
	into.importInto(t, "--endpoints="+source.endpoint)
	requireSameNow(t, source, into.serve(t))
}
