package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopLimit is how long a process may take to end after SIGTERM before it is killed. kube-apiserver takes its time.
const stopLimit = 20 * time.Second

// process is one program that the run starts, possibly several times, always with the same arguments. Its output is
// appended to one log file. Methods other than ended may be called by one goroutine at a time.
type process struct {
	name    string
	path    string
	args    []string
	env     []string // in addition to the run's own
	logPath string

	mu   sync.Mutex
	cmd  *exec.Cmd     // nil before the first start
	done chan struct{} // closed when cmd has ended and was waited for
}

// newProcess describes a program; its log will be <dir>/<name>.log.
func newProcess(dir, name, path string, args ...string) *process {
	return &process{name: name, path: path, args: args, logPath: filepath.Join(dir, name+".log")}
}

// start runs the program in a process group of its own, so that an interrupt at the terminal reaches only this run,
// which then ends its processes in order. The kernel kills it should this run die without having done so.
func (p *process) start() error {
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	if _, err := fmt.Fprintf(log, "--- %s: %s %s\n", time.Now().Format(time.RFC3339Nano), p.path, strings.Join(p.args, " ")); err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := startOnLastingThread(cmd); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is asked of cmd.ProcessState
		close(done)
	}()
	p.mu.Lock()
	p.cmd, p.done = cmd, done
	p.mu.Unlock()
	return nil
}

// ended returns a hopeless error once the process has ended, nil while it runs.
func (p *process) ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return hopeless{fmt.Errorf("%s was never started", p.name)}
	}
	select {
	case <-p.done:
		return hopeless{fmt.Errorf("%s has ended: %v", p.name, p.cmd.ProcessState)}
	default:
		return nil
	}
}

// pid is that of the running process.
func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the process as a power cut would and waits until it is gone.
func (p *process) kill() error {
	if err := p.ended(); err != nil {
		return err
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// stop ends the process with SIGTERM, or with SIGKILL after stopLimit, which is an error. It does nothing to a
// process that is not running.
func (p *process) stop() error {
	if p.ended() != nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s did not end within %v of SIGTERM", p.name, stopLimit), p.kill())
	}
}

// starts carries commands to the one goroutine that starts them.
var starts = make(chan func())

func init() {
	// A parent-death signal is sent when the *thread* that started the child ends, so all are started by one
	// goroutine that keeps its thread for as long as the program runs.
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
}

func startOnLastingThread(cmd *exec.Cmd) error {
	result := make(chan error)
	starts <- func() { result <- cmd.Start() }
	return <-result
}
