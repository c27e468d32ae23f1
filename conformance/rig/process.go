package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Program is what a Process runs.
type Program struct {
	// Name is its name in errors; "" stands for the last part of Path.
	Name string
	Path string
	Args []string
	// Env holds "NAME=value" strings besides those of this process.
	Env []string
	// Log is a file that the output of all lives is appended to; "" keeps that of the last life in memory.
	Log string
	// StartIn starts the command, in another network namespace for example; the thread that does has to last as long
	// as the child. nil is here.
	StartIn func(*exec.Cmd) error
}

// Process is a Program that is started, ended, and started again with the same arguments. Kill, Stop and Start are for
// one goroutine at a time.
type Process struct {
	Program

	mu   sync.Mutex
	life *life // the last one; nil before the first
}

// life is from a start to an end.
type life struct {
	cmd     *exec.Cmd
	exited  chan struct{} // closed when it is gone and its output was read
	output  *output
	onOrder bool // Kill or Stop was called; guarded by Process.mu
}

// New describes a process that does not run yet.
func New(p Program) *Process {
	if p.Name == "" {
		p.Name = filepath.Base(p.Path)
	}
	return &Process{Program: p}
}

// Start starts a program.
func Start(p Program) (*Process, error) {
	process := New(p)
	return process, process.Start()
}

// Start starts the program, in a process group of its own, out of reach of a terminal's Ctrl-C. The kernel kills it
// should this process end first.
func (p *Process) Start() error {
	l := &life{exited: make(chan struct{}), output: newOutput()}
	l.cmd = exec.Command(p.Path, p.Args...)
	l.cmd.Env = append(os.Environ(), p.Env...)
	l.cmd.Stdout, l.cmd.Stderr = l.output, l.output
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if p.Log != "" {
		log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer log.Close() // the child has its own descriptor
		if _, err := fmt.Fprintf(log, "--- %s: %s %s\n", time.Now().Format(time.RFC3339Nano), p.Path, strings.Join(p.Args, " ")); err != nil {
			return err
		}
		l.cmd.Stdout, l.cmd.Stderr = log, log
	}
	start := StartOnLastingThread
	if p.StartIn != nil {
		start = p.StartIn
	}
	if err := start(l.cmd); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	go func() {
		_ = l.cmd.Wait() // how it ended is read off the state
		close(l.exited)
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life = l
	return nil
}

func (p *Process) last() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// Pid is the process id of a process that was started.
func (p *Process) Pid() int { return p.last().cmd.Process.Pid }

// Exited is closed when a process that was started is gone.
func (p *Process) Exited() <-chan struct{} { return p.last().exited }

// Ended is an error once the process is gone, but not after Kill or Stop, whether it still ran then or not.
func (p *Process) Ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life == nil || p.life.onOrder {
		return nil
	}
	select {
	case <-p.life.exited:
		return fmt.Errorf("%s has ended by itself (%v)%s", p.Name, p.life.cmd.ProcessState, p.told(p.life))
	default:
		return nil
	}
}

// told is what a process printed, or where that is.
func (p *Process) told(l *life) string {
	if p.Log != "" {
		return "; see " + p.Log
	}
	return "; it printed:\n" + l.output.String()
}

// Signal sends a signal. To a process that does not run it does nothing.
func (p *Process) Signal(s syscall.Signal) {
	if l := p.last(); l != nil {
		_ = l.cmd.Process.Signal(s) // os: process already finished
	}
}

// Freeze stops the process in its tracks.
func (p *Process) Freeze() { p.Signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (p *Process) Thaw() { p.Signal(syscall.SIGCONT) }

// end sends a signal that ends the process. It returns nil without a process.
func (p *Process) end(s syscall.Signal) *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life == nil {
		return nil
	}
	p.life.onOrder = true
	_ = p.life.cmd.Process.Signal(s) // it may be gone
	return p.life
}

// Kill ends the process as a power cut would, and returns when it is gone. It does nothing to one that does not run.
func (p *Process) Kill() {
	if l := p.end(syscall.SIGKILL); l != nil {
		<-l.exited
	}
}

// Stop ends the process with SIGTERM and returns its exit code, -1 after a signal. It is an error if ctx ends before;
// the process is killed then. One that was never started has the exit code 0.
func (p *Process) Stop(ctx context.Context) (int, error) {
	if p.end(syscall.SIGTERM) == nil {
		return 0, nil
	}
	code, err := p.Wait(ctx)
	if err != nil {
		p.Kill()
	}
	return code, err
}

// Wait waits for the end of a process that was started, and returns its exit code, -1 after a signal.
func (p *Process) Wait(ctx context.Context) (int, error) {
	l := p.last()
	select {
	case <-l.exited:
		return l.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s does not end: %w", p.Name, context.Cause(ctx))
	}
}

// Output is what the process has printed so far, both streams as one. There is none with a Log.
func (p *Process) Output() string {
	if l := p.last(); l != nil {
		return l.output.String()
	}
	return ""
}

// broke is what Go prints when a program broke.
var broke = regexp.MustCompile(`(?m)panic: |^fatal error: |DATA RACE`)

// CheckOutput looks for a panic or a data race in what the process, a Go program, printed, or in all of its Log.
func (p *Process) CheckOutput() error {
	text := p.Output()
	if p.Log != "" {
		data, err := os.ReadFile(p.Log)
		if err != nil {
			return err
		}
		text = string(data)
	}
	if at := broke.FindStringIndex(text); at != nil {
		return fmt.Errorf("%s broke: %.20000s", p.Name, text[at[0]:])
	}
	return nil
}

// starts carries commands to the one goroutine that starts them: a parent-death signal is sent when the *thread* that
// started the child ends, so that goroutine keeps its thread.
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

// StartOnLastingThread starts a command on a thread that lasts as long as this process does, for parent-death signals.
func StartOnLastingThread(cmd *exec.Cmd) error {
	result := make(chan error)
	starts() <- func() { result <- cmd.Start() }
	return <-result
}
