package rigtest

import (
	"os/exec"
	"slices"
	"testing"
)

// Mounts is the command by which another one gets mounts of its own: as root, or with a user namespace. The test is skipped
// where neither may mount, as in most containers.
func Mounts(t testing.TB) []string {
	t.Helper()
	var err error
	var said []byte
	for _, command := range [][]string{{"unshare", "-m"}, {"unshare", "-r", "-m"}} {
		args := slices.Concat(command[1:], []string{"mount", "-t", "tmpfs", "none", t.TempDir()})
		if said, err = exec.Command(command[0], args...).CombinedOutput(); err == nil {
			return command
		}
	}
	t.Skipf("needs to mount a small file system: %v: %s", err, said)
	return nil
}
