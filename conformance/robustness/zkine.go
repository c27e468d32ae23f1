package robustness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/zkine/zkine/revision/embedded"
)

// SessionTimeout is the zkines' with ZooKeeper: the shortest that zkine takes,
// so that outlasting it takes least time. In a network of its own, where seven
// processes and all packets share the machine, it is longer.
var SessionTimeout = func() time.Duration {
	if private() {
		return 2 * time.Second
	}
	return time.Second
}()

// Zkine is a member, as a process that is killed, frozen and started again on
// the same ports. One goroutine uses it.
type Zkine struct {
	Name string
	// Endpoint is where clients reach it, running or not.
	Endpoint string
	// Log is the file with what it printed, in all its lives.
	Log string

	program string
	args    []string
	clock   string // the file with how far its clock is off, for one built by buildStepped
	node    *Node  // where it runs; nil for here
	health  string // URL
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the process is gone
}

// busyFlags make a zkine go on to a new segment after every few slots, pack the
// one before, and checkpoint and trim the log whenever it holds some seconds'
// traffic. The observer must not fall behind by as much.
var busyFlags = []string{"--log-segment-slots=32", "--checkpoint-log-bytes=8192"}

// newZkine prepares a member that is not running yet; flags are further ones.
func newZkine(program, name, zooKeeper, root, log string, node *Node, flags ...string) (*Zkine, error) {
	host := "127.0.0.1"
	if node != nil {
		host = node.Host()
	}
	client, err := embedded.FreePort()
	if err != nil {
		return nil, err
	}
	metrics, err := embedded.FreePort()
	if err != nil {
		return nil, err
	}
	z := &Zkine{
		Name:     name,
		Endpoint: fmt.Sprintf("%s:%d", host, client),
		Log:      log,
		program:  program,
		health:   fmt.Sprintf("http://%s:%d", host, metrics),
		node:     node,
		clock:    log + ".clock",
	}
	z.args = append([]string{
		"server", "--name=" + name,
		"--zookeeper=" + zooKeeper, "--zookeeper-root=" + root, "--data-dir=" + log + ".remembered",
		"--zookeeper-session-timeout=" + SessionTimeout.String(),
		"--listen-client-urls=http://" + z.Endpoint, "--listen-metrics-urls=" + z.health,
		"--watch-progress-notify-interval=100ms", // etcd's robustness tests have it so
	}, flags...)
	return z, nil
}

// Start starts the process; it may not serve yet. The kernel kills it should
// this program end first.
func (z *Zkine) Start() error {
	log, err := os.OpenFile(z.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(z.program, z.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), clockEnv+"="+z.clock)
	start := startOnLastingThread
	if z.node != nil {
		start = z.node.Start
	}
	if err := start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", z.Name, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(exited)
	}()
	z.cmd, z.exited = cmd, exited
	return nil
}

// Kill ends the process as a power cut would (SIGKILL), and returns when it is
// gone. Without a process it does nothing.
func (z *Zkine) Kill() {
	if z.cmd == nil {
		return
	}
	_ = z.cmd.Process.Signal(syscall.SIGKILL)
	<-z.exited
	z.cmd = nil
}

// Freeze stops the process in its tracks (SIGSTOP); Thaw lets it go on.
func (z *Zkine) Freeze() error { return z.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (z *Zkine) Thaw() error { return z.cmd.Process.Signal(syscall.SIGCONT) }

// AwaitReady waits until it serves linearizable reads.
func (z *Zkine) AwaitReady(ctx context.Context) error {
	return poll(ctx, func() error { return z.check(ctx, "/readyz") })
}

// AwaitUnready waits until it says that it has lost ZooKeeper.
func (z *Zkine) AwaitUnready(ctx context.Context) error {
	return poll(ctx, func() error {
		if z.check(ctx, "/readyz/backend") == nil {
			return fmt.Errorf("%s is still ready", z.Name)
		}
		return z.Ended()
	})
}

// check asks for a health check, and returns what is wrong.
func (z *Zkine) check(ctx context.Context, path string) error {
	if err := z.Ended(); err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, z.health+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("%s is not up: %w", z.Name, err)
	}
	defer resp.Body.Close()
	why, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", z.Name, why)
	}
	return nil
}

// Ended is an error if the process is gone without having been killed.
func (z *Zkine) Ended() error {
	if z.cmd == nil {
		return nil
	}
	select {
	case <-z.exited:
		return errors.New(z.Name + " has ended by itself; see " + z.Log)
	default:
		return nil
	}
}

// gone says whether the process is gone, however it ended.
func (z *Zkine) gone() bool {
	select {
	case <-z.exited:
		return true
	default:
		return false
	}
}

// broke is what Go prints when a program broke.
var broke = regexp.MustCompile(`(?m)^(panic: |fatal error: |WARNING: DATA RACE)`)

// CheckLog looks for what must not be in a zkine's log.
func (z *Zkine) CheckLog() error {
	text, err := os.ReadFile(z.Log)
	if err != nil {
		return err
	}
	if at := broke.FindIndex(text); at != nil {
		return fmt.Errorf("%s broke: %.2000s", z.Name, text[at[0]:])
	}
	return nil
}

// starts carries commands to the one goroutine that starts them: a parent-death
// signal is sent when the thread that started the child ends, so that goroutine
// keeps its thread.
var starts = sync.OnceValue(func() chan<- func() {
	commands := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range commands {
			start()
		}
	}()
	return commands
})

func startOnLastingThread(cmd *exec.Cmd) error {
	result := make(chan error)
	starts() <- func() { result <- cmd.Start() }
	return <-result
}
