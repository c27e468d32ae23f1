package clients

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// vitessTests are those of Vitess' package etcd2topo. TestEtcd2Topo runs the suite that each store of its topology has to
// pass: locks, elections, watches, and all of what is kept in it.
var vitessTests = []string{
	"TestEtcd2TLS", "TestEtcd2Topo", "TestEtcd2TopoGetTabletsPartialResults", "TestEtcd2TopoServerClosed", "TestWatchTopoVersion",
}

// TestVitess runs Vitess' own tests of its topology on etcd, as they are. They start the program etcd that PATH leads to:
// an etcd, and a zkine that is called so, and end it by kill -9.
func TestVitess(t *testing.T) {
	slow(t)
	suite, vtctldclient := rigtest.Component(t, "etcd2topo.test"), rigtest.Component(t, "vtctldclient")
	for name, install := range map[string]func(t *testing.T, dir string){"zkine": zkineAsEtcd, "etcd": etcdAsEtcd} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Symlink(vtctldclient, filepath.Join(dir, "vtctldclient")))
			install(t, dir)
			run := exec.CommandContext(within(t), suite, "-test.v")
			run.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "VTPORTSTART="+strconv.Itoa(freePorts(t, 20)))
			text, err := run.CombinedOutput()
			t.Logf("%s", text)
			require.NoError(t, err)
			var passed []string
			for _, line := range regexp.MustCompile(`(?m)^--- PASS: (\w+) `).FindAllSubmatch(text, -1) {
				passed = append(passed, string(line[1]))
			}
			slices.Sort(passed)
			require.Equal(t, vitessTests, passed, "none is skipped")
		})
	}
}

// etcdAsEtcd is the etcd whose client Vitess has. On etcd 3.7, whose keys_only leaves the lease out, a lock of Vitess' waits
// for ever (TestEtcd2Topo: "Unlock(test_keyspace) timed out").
func etcdAsEtcd(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.Symlink(rigtest.Component(t, "etcd-3.6"), filepath.Join(dir, "etcd")))
}

// zkineAsEtcd makes a program etcd of zkine: a link, called with etcd's command line. Each start is on a root of its own, as
// that of an etcd with a new data folder, and none has a port for metrics, since three run at once.
func zkineAsEtcd(t *testing.T, dir string) {
	t.Helper()
	link := filepath.Join(t.TempDir(), "etcd")
	require.NoError(t, os.Symlink(rigtest.Program(t), link))
	script := fmt.Sprintf("#!/bin/sh\nexport ZKINE_ZOOKEEPER=%s ZKINE_ZOOKEEPER_ROOT=%s-$$ ZKINE_IGNORE_ETCD_FLAGS=true\nexec %s \"$@\" --listen-metrics-urls=\n",
		zktest.Shared(t).Addr(), zktest.Root(t), link)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "etcd"), []byte(script), 0o755)) //nolint:gosec // a program
}

// freePorts is the first of n ports in a row that nothing listens on.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		address, err := rig.FreeAddress("127.0.0.1")
		require.NoError(t, err)
		_, text, err := net.SplitHostPort(address)
		require.NoError(t, err)
		first, err := strconv.Atoi(text)
		require.NoError(t, err)
		if allFree(first, n) {
			return first
		}
	}
	t.Fatalf("no %d ports in a row are free", n)
	return 0
}

func allFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
