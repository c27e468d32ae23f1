package embedded_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/embedded"
)

const patience = 60 * time.Second

// helperDir, when set, makes this test binary the parent of a ZooKeeper there, to be killed by a test.
const helperDir = "ZKINE_TEST_HELPER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		s, err := embedded.Start(context.Background(), config(dir))
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(s.Pid())
		select {}
	}
	os.Exit(m.Run())
}

// repository is the folder of go.mod, from this package.
const repository = "../.."

func zooKeeper() embedded.FindOptions {
	dir := os.Getenv("ZKINE_ZOOKEEPER_DIR")
	if dir == "" {
		dir = filepath.Join(repository, ".cache", "zookeeper")
	}
	return embedded.FindOptions{Dir: dir}
}

// config is a configuration of an open server for tests; where there is no ZooKeeper, Start will say so.
func config(dir string) embedded.Config {
	d, err := embedded.Find(zooKeeper())
	if err != nil {
		panic(fmt.Sprintf("%v: run make zookeeper", err))
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	return embedded.Config{Distribution: d, DataDir: dir, Heap: 256 << 20, Open: true, Logger: quiet}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, cfg embedded.Config) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(within(t), cfg)
	require.NoError(t, err)
	t.Cleanup(s.Kill)
	return s
}

func connect(t *testing.T, addr string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// gone tells whether a process no longer exists (or only as a zombie of a parent that is not us).
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

func TestDataAndPortSurviveStop(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	s := start(t, config(dir))
	t.Logf("serves after %v", time.Since(began))
	addr, pid := s.Addr(), s.Pid()
	_, err := connect(t, addr).Create("/a", []byte("1"), 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	require.NoError(t, s.Stop(within(t)))
	require.True(t, gone(pid))
	<-s.Done()
	require.NoError(t, s.Stop(within(t)), "again")
	require.ErrorIs(t, s.Ready(within(t)), embedded.ErrStopped)

	s = start(t, config(dir))
	require.Equal(t, addr, s.Addr())
	data, _, err := connect(t, addr).Get("/a")
	require.NoError(t, err)
	require.Equal(t, "1", string(data))
}

func TestDeadChildIsRestarted(t *testing.T) {
	s := start(t, config(t.TempDir()))
	conn := connect(t, s.Addr())
	_, err := conn.Create("/a", nil, 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	session := conn.SessionID()
	pid := s.Pid()
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Eventually(t, func() bool { return s.Pid() != pid }, patience, time.Millisecond)
	require.NoError(t, s.Ready(within(t)))
	// A call that was waiting may fail with the old connection.
	require.Eventually(t, func() bool { found, _, err := conn.Exists("/a"); return err == nil && found }, patience, time.Millisecond)
	require.Equal(t, session, conn.SessionID(), "the session outlived the restart")
}

func TestStopDuringBackoff(t *testing.T) {
	s := start(t, config(t.TempDir()))
	require.NoError(t, syscall.Kill(s.Pid(), syscall.SIGKILL))
	require.NoError(t, s.Stop(within(t)))
	require.True(t, gone(s.Pid()))
}

func TestStopKillsWhenItsContextEnds(t *testing.T) {
	s := start(t, config(t.TempDir()))
	s.Signal(syscall.SIGSTOP) // deaf to SIGTERM
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Stop(ctx), context.DeadlineExceeded)
	require.True(t, gone(s.Pid()))
}

func TestDataDirIsLocked(t *testing.T) {
	dir := t.TempDir()
	s := start(t, config(dir))
	_, err := embedded.Start(within(t), config(dir))
	require.ErrorIs(t, err, embedded.ErrInUse)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, strconv.Itoa(os.Getpid()))
	require.NoError(t, s.Ready(within(t)), "the holder is unharmed")
}

func TestForeignServerIsNotTakenForOurs(t *testing.T) {
	s := start(t, config(t.TempDir()))
	_, port, err := net.SplitHostPort(s.Addr())
	require.NoError(t, err)
	cfg := config(t.TempDir())
	cfg.ClientPort, err = strconv.Atoi(port)
	require.NoError(t, err)
	_, err = embedded.Start(within(t), cfg)
	require.ErrorIs(t, err, embedded.ErrPortInUse)
}

// TestChildDiesWithItsParent kills a parent as kill -9 does, and takes over its folder.
func TestChildDiesWithItsParent(t *testing.T) {
	dir := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), helperDir+"="+dir)
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	t.Cleanup(func() { _ = parent.Process.Kill() })
	var child int
	_, err = fmt.Fscan(out, &child)
	require.NoError(t, err)
	require.False(t, gone(child))
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	start(t, config(dir))
	require.True(t, gone(child), "the lock was given while the old child lived")
}

func TestExitBeforeServingIsReported(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Properties = map[string]string{"tickTime": "soon"}
	_, err := embedded.Start(within(t), cfg)
	require.ErrorIs(t, err, embedded.ErrExited)
	require.ErrorContains(t, err, "soon", "the end of the log is in the error")
	delete(cfg.Properties, "tickTime")
	start(t, cfg)
}

func TestStartHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	_, err := embedded.Start(ctx, config(dir))
	require.ErrorIs(t, err, context.Canceled)
	start(t, config(dir))
}

func TestOddPathsReachTheServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `with space = # ä \ 木`)
	s := start(t, config(dir))
	_, err := os.Stat(filepath.Join(dir, "data", "version-2"))
	require.NoError(t, err)
	require.Contains(t, s.LogTail(1000), "INFO", "the logging configuration was found")
}
