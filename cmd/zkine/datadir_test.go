//go:build linux

package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/embedded"
)

// start tries a local ZooKeeper in a folder that cannot be used, on a thread as
// it is.
func startIn(t *testing.T, dir string) string {
	t.Helper()
	d, err := embedded.Find(embedded.FindOptions{Dir: zooKeeperForTests()})
	require.NoError(t, err)
	s, err := embedded.Start(within(t), embedded.Config{Distribution: d, DataDir: dir})
	if err == nil {
		s.Kill()
	}
	require.ErrorIs(t, err, embedded.ErrFolder)
	return folderProblem(dir, err).Error()
}

func TestAFolderThatCannotBeUsed(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	loop := filepath.Join(base, "loop")
	require.NoError(t, os.Symlink(loop, loop))
	inTheWay := filepath.Join(base, "zoo")
	require.NoError(t, os.MkdirAll(filepath.Join(inTheWay, "zoo.cfg"), 0o700))
	noFolder := "something that is no folder has its name: remove that, or choose another --data-dir"
	noPath := "that cannot be a folder's path: choose another --data-dir"
	for dir, want := range map[string]string{
		file:                         "not a directory — " + noFolder,
		filepath.Join(file, "below"): "not a directory — " + noFolder,
		loop:                         "file exists — " + noFolder,
		filepath.Join(base, strings.Repeat("x", 300)): "file name too long — " + noPath,
		filepath.Join(base, "a\x00b"):                 "invalid argument — " + noPath,
		inTheWay:                                      "is a directory — ",
	} {
		said := startIn(t, dir)
		require.Contains(t, said, "local ZooKeeper: the data folder cannot be used: ")
		require.Contains(t, said, want)
	}
}

func TestAFolderOfAnotherUser(t *testing.T) {
	const nobody = 65534
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	base, err := os.MkdirTemp("", "zkine-folder") // which every user can enter, unlike t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(base) })
	require.NoError(t, os.Chmod(base, 0o755))
	said := make(chan string, 1)
	go func() {
		defer close(said)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if syscall.Setfsuid(nobody) == nil {
			said <- startIn(t, filepath.Join(base, "data"))
		}
	}()
	require.Regexp(t, `permission denied — let user \S+, who runs zkine, write to `+base+` \(drwxr-xr-x, owned by user \S+\), or choose another --data-dir`, <-said)
}

// TestAFileSystemThatTakesNothing mounts a small one, and one for reading only.
func TestAFileSystemThatTakesNothing(t *testing.T) {
	mount := func(t *testing.T, options string) string {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
			t.Skipf("cannot mount here: %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		return dir
	}
	t.Run("full", func(t *testing.T) {
		dir := mount(t, "size=12k")
		require.Contains(t, startIn(t, filepath.Join(dir, "data")), "no space left on device — make room in the file system of "+dir)
	})
	t.Run("read-only", func(t *testing.T) {
		dir := mount(t, "size=1m")
		require.NoError(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		require.Contains(t, startIn(t, filepath.Join(dir, "data")), "read-only file system — mount its file system for writing, or choose another --data-dir")
	})
	t.Run("full for ZooKeeper", func(t *testing.T) {
		dir := mount(t, "size=32k")
		p := startZkine(t, []string{"--data-dir=" + filepath.Join(dir, "data")})
		require.Regexp(t, `No space left on device — make room in the file system of `+dir+`/data, or choose another --data-dir; the whole story is in `, p.problem())
	})
}
