package secrets

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestCrashLeavesNoSecrets ends zkine in the midst of a snapshot, which holds all values and hashes, by each signal that
// a process dies of. What Go prints then is searched, and what is left in its folders.
func TestCrashLeavesNoSecrets(t *testing.T) {
	s := startSite(t, "text")
	s.enableAuth()
	secret := s.secret("value in a snapshot")
	for i := range 8 { // more than is under way to a client that does not read
		_, err := s.kv.Put(s.as("root"), putOf(fmt.Sprint("a/", i), strings.Repeat(secret, 1<<20/len(secret))))
		require.NoError(t, err)
	}
	_, text := markerOf("", secret), secret
	for signal, has := range map[syscall.Signal]string{syscall.SIGQUIT: "goroutine ", syscall.SIGABRT: "goroutine ", syscall.SIGSEGV: "goroutine ", syscall.SIGKILL: "zkine is ready"} {
		t.Run(signal.String(), func(t *testing.T) {
			stream, err := pb.NewMaintenanceClient(s.conn).Snapshot(s.as("root"), &pb.SnapshotRequest{})
			require.NoError(t, err)
			part, err := stream.Recv()
			require.NoError(t, err)
			require.NotEmpty(t, part.Blob)
			file := s.snapshotFile()
			require.Contains(t, file, text, "the snapshot has it")

			java := s.zooKeeper()
			s.z.Signal(signal)
			<-s.z.Exited()
			require.Eventually(t, func() bool { return ended(java) }, patience, 10*time.Millisecond, "its ZooKeeper goes with it")
			left, err := os.ReadDir(s.temp)
			require.NoError(t, err)
			require.Empty(t, left, "nothing outlives the crash")
			log := s.z.Output()
			s.search(append(s.files(), place{"zkine's last words", has, []byte(log)})...)

			require.NoError(t, s.z.Up(within(t)))
			require.NoError(t, s.login("root", s.passwords["root"]))
		})
	}
}

// ended says whether a process has ended. One that nobody has waited for has no files any more.
func ended(pid int) bool {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return err != nil || len(files) == 0
}

// snapshotFile is what is in the file of the snapshot that is sent, which has no name any more.
func (s *site) snapshotFile() string {
	s.Helper()
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.z.Pid()))
	require.NoError(s, err)
	for _, fd := range open {
		name, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(name, s.temp) {
			continue
		}
		require.Contains(s, name, "(deleted)")
		file, err := os.Open(fd)
		require.NoError(s, err)
		defer file.Close()
		info, err := file.Stat()
		require.NoError(s, err)
		require.Zero(s, info.Mode().Perm()&0o077, "others may not read it")
		text, err := io.ReadAll(file)
		require.NoError(s, err)
		return string(text)
	}
	s.Fatal("no snapshot is under way")
	return ""
}

// TestCrashOfZooKeeperLeavesNoSecrets has the Java process break. What it writes of its memory then is next to its data,
// where nobody else may look, and is no core.
func TestCrashOfZooKeeperLeavesNoSecrets(t *testing.T) {
	s := startSite(t, "text")
	s.enableAuth()
	secret := s.secret("value in ZooKeeper's memory")
	for i := range 50 {
		_, err := s.kv.Put(s.as("root"), putOf(fmt.Sprint("a/", i), secret))
		require.NoError(t, err)
	}
	java := s.zooKeeper()
	require.NoError(t, syscall.Kill(java, syscall.SIGSEGV))
	_, err := s.z.Await(within(t), "ZooKeeper died unexpectedly")
	require.NoError(t, err)
	report, err := os.ReadFile(filepath.Join(s.data, fmt.Sprintf("hs_err_pid%d.log", java)))
	require.NoError(t, err)
	require.Contains(t, string(report), "CreateCoredumpOnCrash turned off, no core file dumped")
	info, err := os.Stat(s.data)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "others may not look there")
	s.search(append(s.files(), place{"zkine's log", "died unexpectedly", []byte(s.z.Output())})...)
}
