package zktest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// patience bounds every wait of the harness. It is long: a loaded machine is slow, not wrong.
const patience = 60 * time.Second

const whyShared = "zktest: this ZooKeeper is shared: a test that ends or pauses its server uses Start"

// Server is a ZooKeeper of a test. Its methods are for the test's goroutine; they fail the test on errors.
type Server struct {
	t       testing.TB
	cfg     embedded.Config
	running *embedded.Server // nil while killed or stopped
	tail    string           // the end of the log of the last run
	shared  bool             // other tests use it too: it is not to be ended
}

// Option changes a server's configuration.
type Option func(*embedded.Config)

// WithProperty sets a line of zoo.cfg.
func WithProperty(key, value string) Option {
	return func(c *embedded.Config) { c.Properties[key] = value }
}

// WithFsync makes the server fsync, as in production: for measurements.
func WithFsync() Option { return WithProperty("forceSync", "yes") }

// WithJuteMaxBuffer bounds a request to n bytes.
func WithJuteMaxBuffer(n int) Option {
	return func(c *embedded.Config) { c.JuteMaxBuffer = n }
}

// WithJVMFlag gives java a flag.
func WithJVMFlag(flag string) Option {
	return func(c *embedded.Config) { c.JVMFlags = append(c.JVMFlags, flag) }
}

// WithTickTime sets ZooKeeper's unit of time (200 ms by default): sessions last from two of them to 40 s.
func WithTickTime(d time.Duration) Option {
	return func(c *embedded.Config) { c.TickTime = d }
}

// WithHeap sets the largest heap, in bytes.
func WithHeap(bytes int64) Option {
	return func(c *embedded.Config) { c.Heap = bytes }
}

// Start starts a server of the test's own, with an empty data folder, and returns when it serves. It is killed when
// the test ends; if the test failed, the end of its log is printed.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := newServer(t, t.TempDir(), opts)
	s.Restart()
	return s
}

// newServer makes a server that is not running yet, and is killed when the test ends.
func newServer(t testing.TB, dir string, opts []Option) *Server {
	t.Helper()
	s := &Server{t: t, cfg: config(t, dir, opts)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of ZooKeeper %s:\n%s", s.Addr(), s.LogTail(40))
		}
		s.Kill()
	})
	return s
}

// config is that of a test's server: quick to start, small, and without patience for silent clients.
func config(t testing.TB, dir string, opts []Option) embedded.Config {
	t.Helper()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	cfg := embedded.Config{
		Distribution: distribution(t),
		DataDir:      dir,
		Open:         true,
		ClientPort:   freePort(t),
		Heap:         256 << 20,
		TickTime:     200 * time.Millisecond,
		Properties: map[string]string{
			"forceSync": "no",
			// KiB; the default 64 MiB for each start's log file is nothing but holes, yet tools that copy fill them.
			"preAllocSize": "1024",
		},
		JVMFlags: []string{"-XX:TieredStopAtLevel=1"},
		Logger:   quiet,
	}
	for _, o := range opts {
		o(&cfg)
	}
	return cfg
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := embedded.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Addr is the server's address, host:port; the same after Restart.
func (s *Server) Addr() string {
	return net.JoinHostPort(cmp.Or(s.cfg.Host, "127.0.0.1"), strconv.Itoa(s.cfg.ClientPort))
}

// Pid is the process id of the running server.
func (s *Server) Pid() int {
	s.t.Helper()
	return s.mustRun().Pid()
}

// DataDir is the folder that the server owns.
func (s *Server) DataDir() string { return s.cfg.DataDir }

// LogTail returns up to n of the last lines of the server's log.
func (s *Server) LogTail(n int) string {
	if s.running != nil {
		return s.running.LogTail(n)
	}
	return s.tail
}

// Kill kills the server (SIGKILL) and returns when it is gone. A server that is down stays so.
func (s *Server) Kill() {
	s.t.Helper()
	s.end(func(r *embedded.Server) { r.Kill() })
}

// Stop ends the server (SIGTERM) and returns when it is gone. A server that is down stays so.
func (s *Server) Stop() {
	s.t.Helper()
	s.end(func(r *embedded.Server) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			s.t.Errorf("zktest: %v", err)
		}
	})
}

func (s *Server) end(how func(*embedded.Server)) {
	s.t.Helper()
	if s.shared {
		s.t.Fatal(whyShared)
	}
	if s.running == nil {
		return
	}
	how(s.running)
	s.tail = s.running.LogTail(40)
	s.running = nil
}

// Restart starts the server on its port and data, killing it first if it runs, and returns when it serves; a member
// of an ensemble only once there is a quorum.
func (s *Server) Restart() {
	s.t.Helper()
	s.launch()
	s.Ready()
}

// launch starts the server, killing it first if it runs. A member of an ensemble may not serve yet.
func (s *Server) launch() {
	s.t.Helper()
	s.Kill()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	running, err := embedded.Start(ctx, s.cfg)
	if err != nil {
		s.t.Fatalf("zktest: %v", err)
	}
	s.running = running
}

// Ready waits until the server serves.
func (s *Server) Ready() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.mustRun().Ready(ctx); err != nil {
		s.t.Fatalf("zktest: %v", err)
	}
}

// Pause freezes the server (SIGSTOP) and returns when it is frozen: connections stay, nothing answers.
func (s *Server) Pause() {
	s.t.Helper()
	if s.shared {
		s.t.Fatal(whyShared)
	}
	running := s.mustRun()
	running.Signal(syscall.SIGSTOP)
	s.awaitFrozen(running.Pid())
}

// awaitFrozen waits until every thread of a process is stopped, which takes the kernel a moment.
func (s *Server) awaitFrozen(pid int) {
	s.t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(patience)
	for !frozen(pid) {
		select {
		case <-ticker.C:
		case <-timeout:
			s.t.Fatalf("zktest: ZooKeeper %s does not stop at SIGSTOP", s.Addr())
		}
	}
}

func frozen(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, file := range threads {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // the thread ended
		}
		// pid (name) state ...
		if _, rest, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return len(threads) > 0
}

// Resume ends a Pause (SIGCONT).
func (s *Server) Resume() {
	s.t.Helper()
	s.mustRun().Signal(syscall.SIGCONT)
}

// Running tells whether the server was started and not ended since.
func (s *Server) Running() bool { return s.running != nil }

// Mode is "standalone", "leader" or "follower"; "" while the server does not serve.
func (s *Server) Mode() string {
	if s.running == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	mode, err := fourletter.Mode(ctx, s.Addr())
	if err != nil {
		return ""
	}
	return mode
}

func (s *Server) mustRun() *embedded.Server {
	s.t.Helper()
	if s.running == nil {
		s.t.Fatalf("zktest: ZooKeeper %s is not running", s.Addr())
	}
	return s.running
}
