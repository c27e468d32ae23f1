package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

func dataDir(t *testing.T) string { return "--data-dir=" + filepath.Join(t.TempDir(), "zkine-data") }

func TestCtrlCStopsBothAndAllDataIsThereAgain(t *testing.T) {
	sockets, err := os.MkdirTemp("", "z") // a socket's path must be short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(sockets) })
	socket := "unix://" + filepath.Join(sockets, "s")
	args := []string{dataDir(t), "--listen-client-urls=" + socket}

	first := startZkine(t, args)
	kv := client(t, first.ready())
	put(t, kv, "a", "1")
	expect(t, client(t, socket), "a", "1")
	require.Equal(t, 200, first.get("/readyz"))
	require.Equal(t, 200, first.get("/metrics"))
	first.signal(syscall.SIGINT)
	require.Zero(t, first.end())
	awaitGone(t, first.zooKeeperPid())

	second := startZkine(t, args)
	kv = client(t, second.ready())
	expect(t, kv, "a", "1")
	put(t, kv, "a", "2")
	second.signal(syscall.SIGTERM)
	require.Zero(t, second.end())
	awaitGone(t, second.zooKeeperPid())
}

// TestReadsCostTheLocalZooKeeperNoWrite: one that was started elsewhere is asked by a write,
// also if it is the only one.
func TestReadsCostTheLocalZooKeeperNoWrite(t *testing.T) {
	for name, arg := range map[string]string{"local": dataDir(t), "elsewhere": "--zookeeper=" + zktest.Start(t).Addr()} {
		p := startZkine(t, []string{arg})
		kv := client(t, p.ready())
		put(t, kv, "a", "1")
		const reads = 40
		multis, looks := p.asked("multi"), p.asked("multiRead")
		for range reads {
			expect(t, kv, "a", "1")
		}
		multis, looks = p.asked("multi")-multis, p.asked("multiRead")-looks
		if name == "local" {
			require.GreaterOrEqual(t, looks, reads/2, "a few may have met another request under way")
			require.Less(t, multis, reads/2)
		} else {
			require.Zero(t, looks)
			require.GreaterOrEqual(t, multis, reads)
		}
	}
}

// asked is how many requests of a kind were sent to ZooKeeper.
func (p *process) asked(op string) (n int) {
	p.t.Helper()
	address := p.await(`serving metrics and health.*address="?([^" \n]+)"?`)
	response, err := http.Get("http://" + address + "/metrics")
	require.NoError(p.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	_, after, found := strings.Cut(string(text), `zkine_zookeeper_requests_total{op="`+op+`"} `)
	require.True(p.t, found, op)
	_, err = fmt.Sscan(after, &n)
	require.NoError(p.t, err)
	return n
}

// TestTheReadyLineIsTheLast has it true when it is printed, and nothing follow
// that a start has to say.
func TestTheReadyLineIsTheLast(t *testing.T) {
	p := startZkine(t, []string{dataDir(t)})
	p.ready()
	require.Equal(t, 200, p.get("/readyz"))
	lines := strings.Split(strings.TrimSpace(p.text()), "\n")
	require.Contains(t, lines[len(lines)-1], "zkine is ready: ")
	require.Equal(t, 1, strings.Count(p.text(), "zkine is ready"))
	require.NotContains(t, p.text(), "ready to serve")
}

func TestAKilledZkineTakesItsZooKeeperAlong(t *testing.T) {
	args := []string{dataDir(t)}
	first := startZkine(t, args)
	put(t, client(t, first.ready()), "a", "1")
	first.signal(syscall.SIGKILL)
	first.end()
	awaitGone(t, first.zooKeeperPid())

	second := startZkine(t, args)
	expect(t, client(t, second.ready()), "a", "1")
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	p := startZkine(t, []string{dataDir(t)})
	p.ready()
	pid := p.zooKeeperPid()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP)) // it will not end in peace
	require.Eventually(t, func() bool {
		p.signal(syscall.SIGINT)
		select {
		case <-p.exited:
			return true
		default:
			return false
		}
	}, stopTimeout-time.Second, 50*time.Millisecond)
	require.Equal(t, 128+int(syscall.SIGINT), p.end())
	awaitGone(t, pid)
}

func TestADataFolderInUse(t *testing.T) {
	args := []string{dataDir(t)}
	first := startZkine(t, args)
	first.zooKeeperPid()
	require.Regexp(t, `the data folder is in use: .*zkine-data is held by process \d+ — stop that process, or choose another --data-dir`,
		startZkine(t, args).problem())
}

func TestNoJava(t *testing.T) {
	p := startZkine(t, []string{dataDir(t)}, "JAVA_HOME=", "PATH="+t.TempDir())
	require.Regexp(t, `^zkine: local ZooKeeper: no Java runtime found .*default-jre-headless.*--zookeeper=`, p.problem())
}

func TestNoZooKeeperJars(t *testing.T) {
	p := startZkine(t, []string{dataDir(t)}, "ZOOKEEPER_HOME="+t.TempDir())
	require.Regexp(t, `^zkine: local ZooKeeper: no ZooKeeper found in .*ZOOKEEPER_HOME.*--zookeeper=`, p.problem())
}

func TestAJavaThatDoesNotStart(t *testing.T) {
	home := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(home, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(home, "bin", "java"),
		[]byte("#!/bin/sh\necho 'Error: no room for a heap'\necho bye\nexit 1\n"), 0o755))
	p := startZkine(t, []string{dataDir(t)}, "JAVA_HOME="+home)
	require.Regexp(t, `local ZooKeeper: it exited before it served: Error: no room for a heap — .*zookeeper.log$`, p.problem())
}

func TestAPortInUse(t *testing.T) {
	first := startZkine(t, []string{dataDir(t)})
	for flag, address := range map[string]string{
		"--listen-client-urls":  first.ready(),
		"--listen-metrics-urls": first.await(`serving metrics and health.*address="?([^" \n]+)"?`),
	} {
		folder := filepath.Join(t.TempDir(), "data")
		p := startZkine(t, []string{"--data-dir=" + folder, flag + "=http://" + address})
		require.Regexp(t, address+` is in use: .* — choose another with `+flag, p.problem())
		require.NoDirExists(t, folder, "something was started before the port was tried")
	}
}
