package embedded

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// asUser calls f on a thread with another effective user.
func asUser(uid int, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if _, _, code := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); code != 0 {
			result <- code
			return
		}
		result <- f()
	}()
	return <-result
}

// TestAFolderThatIsNotToBeClosed has one as a container gets it: root's, and for all to write.
func TestAFolderThatIsNotToBeClosed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a folder of root's")
	}
	cfg, hook := folderConfig(t)
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(cfg.DataDir)), 0o711))
	require.NoError(t, os.Chmod(cfg.DataDir, 0o777))
	require.NoError(t, asUser(nobody, cfg.closeFolder))
	require.Regexp(t, `^warning: Other users may write to the data folder .* \(drwxrwxrwx\), and it is not this user's to change`, said(hook))
}
