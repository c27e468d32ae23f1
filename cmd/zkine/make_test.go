package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runMake runs make in a folder, with the test's environment but for what a make
// around this test has set; env is added.
func runMake(t *testing.T, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("make")
	if err != nil {
		t.Skip("there is no make")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "ZOOKEEPER_HOME", "ZKINE_ZOOKEEPER_DIR"}, name)
	})
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestMakeBuildsWhatTheImageHas builds zkine as make does: it needs no library,
// holds no symbols, and knows its version.
func TestMakeBuildsWhatTheImageHas(t *testing.T) {
	built := filepath.Join(t.TempDir(), "zkine")
	out, err := runMake(t, "../..", nil, "build", "ZKINE="+built, "VERSION=v1.2.3-test")
	require.NoError(t, err, out)
	if runtime.GOOS == "linux" {
		file, err := elf.Open(built)
		require.NoError(t, err)
		defer file.Close()
		libraries, err := file.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libraries)
		for _, p := range file.Progs {
			require.NotEqual(t, elf.PT_INTERP, p.Type, "it needs a loader")
		}
		for _, section := range []string{".symtab", ".debug_info"} {
			require.Nil(t, file.Section(section), section)
		}
	}
	said, err := exec.Command(built, "version").Output()
	require.NoError(t, err)
	require.Contains(t, string(said), "zkine v1.2.3-test\n")
}

// TestAZooKeeperThatIsThereIsNotFetched has a PATH without apt, as off Debian.
func TestAZooKeeperThatIsThereIsNotFetched(t *testing.T) {
	checkout, programs := t.TempDir(), t.TempDir()
	makefile, err := filepath.Abs("../../Makefile")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(makefile, filepath.Join(checkout, "Makefile")))
	require.NoError(t, os.Symlink(filepath.Join(filepath.Dir(makefile), "deploy"), filepath.Join(checkout, "deploy")))
	for _, name := range []string{"bash", "env", "cat", "dirname", "basename", "mkdir", "flock", "true", "awk"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(programs, name)))
	}
	home := zooKeeperForTests()
	for _, setting := range []string{"ZOOKEEPER_HOME=" + home, "ZKINE_ZOOKEEPER_DIR=" + home} {
		out, err := runMake(t, checkout, []string{"PATH=" + programs, setting}, "zookeeper")
		require.NoError(t, err, out)
		require.NoDirExists(t, filepath.Join(checkout, ".cache"))
		// What runs and what is tested see it, whichever was set.
		out, err = runMake(t, checkout, []string{"PATH=" + programs, setting}, "--eval", "show: ; @echo $$ZOOKEEPER_HOME,$$ZKINE_ZOOKEEPER_DIR", "show")
		require.NoError(t, err, out)
		require.Equal(t, home+","+home+"\n", out)
	}
	out, err := runMake(t, checkout, []string{"PATH=" + programs}, "zookeeper")
	require.Error(t, err)
	require.Contains(t, out, "apt-get not found: this script needs Debian's tools. Elsewhere, unpack an Apache ZooKeeper 3.9.5 or newer and set ZOOKEEPER_HOME.")
}
