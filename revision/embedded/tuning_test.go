package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

// resident is how much memory a process holds, in bytes.
func resident(t *testing.T, pid int) int64 { return memory(t, pid, "status", "VmRSS") }

// memory is what a file of a process's says of its memory, in bytes.
func memory(t *testing.T, pid int, file, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if os.IsNotExist(err) {
		t.Skip("this system has no /proc to read memory from")
	}
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^` + name + `:\s*(\d+) kB$`).FindSubmatch(text)
	require.NotNil(t, found)
	kib, err := strconv.ParseInt(string(found[1]), 10, 64)
	require.NoError(t, err)
	return kib << 10
}

// TestMemoryFollowsTheData has a server whose heap may become large, on a machine with much memory: what it takes is
// what it needs.
func TestMemoryFollowsTheData(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Heap = 2 << 30
	s := start(t, cfg)
	conn := connect(t, s.Addr())
	_, err := conn.Create("/n", nil, 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	// 60 MiB of requests, of which nothing stays but what ZooKeeper keeps of its last transactions.
	data := make([]byte, 10<<10)
	for range 6 << 10 {
		_, err := conn.Set("/n", data, -1)
		require.NoError(t, err)
	}
	small := resident(t, s.Pid())
	require.Less(t, small, int64(160<<20), "with little to hold")
	fill(t, s.Addr(), 300)
	require.Greater(t, resident(t, s.Pid()), small+300<<20, "with more data than the heap began with")
	held, err := s.DataBytes(within(t))
	require.NoError(t, err)
	require.InDelta(t, 300<<20, held, 2<<20)
}

// TestTheHeapTakesHugePages has the system asked for them, and give them, where it has any.
func TestTheHeapTakesHugePages(t *testing.T) {
	enabled, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if err != nil || strings.Contains(string(enabled), "[never]") {
		t.Skip("this system gives no huge pages")
	}
	s := start(t, config(t.TempDir()))
	fill(t, s.Addr(), 40)
	require.Contains(t, arguments(t, s.Pid()), "-XX:+UseTransparentHugePages")
	require.Positive(t, memory(t, s.Pid(), "smaps_rollup", "AnonHugePages"))
}

// TestAnEnsemblesSettingsAreTheLocalServers keeps what deploy/zookeeper recommends the same as what the local server
// runs with, which is what was measured.
func TestAnEnsemblesSettingsAreTheLocalServers(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Heap = 2 << 30
	s := start(t, cfg)
	ours := arguments(t, s.Pid())
	theirs := regexp.MustCompile(`-X\S+[^\s"]`).FindAllString(settings(t, "java.env"), -1)
	require.Greater(t, len(theirs), 5)
	for _, flag := range theirs {
		require.Contains(t, ours, strings.Replace(flag, "=32m", "=32768k", 1), "flag of java.env")
	}
	written, err := os.ReadFile(filepath.Join(cfg.DataDir, "zoo.cfg"))
	require.NoError(t, err)
	recommended := settings(t, "zoo.cfg")
	for _, name := range []string{
		"nio.numSelectorThreads", "nio.numWorkerThreads", "commitProcessor.numWorkerThreads",
		"maxResponseCacheSize", "maxGetChildrenResponseCacheSize",
		"autopurge.purgeInterval", "autopurge.snapRetainCount", "admin.enableServer",
	} {
		line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `=.*$`).FindString(string(written))
		require.NotEmpty(t, line, name)
		require.Contains(t, strings.Split(recommended, "\n"), line)
	}
}

// TestAPlainServerHasTheDefaults is about the one that the others are compared with.
func TestAPlainServerHasTheDefaults(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Plain = true
	s := start(t, cfg)
	for _, flag := range arguments(t, s.Pid()) {
		require.NotRegexp(t, `^-XX:[+](Use|Tiered)|^-Xms|NewSize`, flag)
	}
	written, err := os.ReadFile(filepath.Join(cfg.DataDir, "zoo.cfg"))
	require.NoError(t, err)
	require.NotContains(t, string(written), "numWorkerThreads")
	_, err = connect(t, s.Addr()).Create("/n", nil, 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
}

// arguments are a process's.
func arguments(t *testing.T, pid int) []string {
	t.Helper()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if os.IsNotExist(err) {
		t.Skip("this system has no /proc to read arguments from")
	}
	require.NoError(t, err)
	return strings.Split(string(line), "\x00")
}

// settings is a file of deploy/zookeeper, without its comments.
func settings(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "deploy", "zookeeper", name))
	require.NoError(t, err)
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(text), "")
}
