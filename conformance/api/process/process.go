// Package process runs zkine, and the programs that it is used with or compared to, as processes of their own.
//
// Goroutines: one that starts children, for as long as the program runs; for each child, one that waits for its end,
// and those of os/exec that copy its output.
package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// Process is a child. Its output, both streams as one, is kept in memory.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it is gone and its output was read

	mu      sync.Mutex
	output  strings.Builder
	changed chan struct{} // closed and replaced when there is more output
}

// Start runs a program; env holds "NAME=value" strings besides those of this process. The kernel kills the child
// should this process end first.
func Start(program string, args []string, env ...string) (*Process, error) {
	p := &Process{exited: make(chan struct{}), changed: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := startOnLastingThread(p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is read off the state
		close(p.exited)
	}()
	return p, nil
}

// Write takes the child's output.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.output.Write(b)
}

// Output is what the child has printed so far.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Await waits for output that matches, and returns the first match and its groups.
func (p *Process) Await(ctx context.Context, pattern string) ([]string, error) {
	expression := regexp.MustCompile(pattern)
	exited := p.exited
	for {
		p.mu.Lock()
		match, changed := expression.FindStringSubmatch(p.output.String()), p.changed
		p.mu.Unlock()
		if match != nil {
			return match, nil
		}
		if exited == nil {
			return nil, fmt.Errorf("%s ended (%v) without printing %q", p.cmd.Path, p.cmd.ProcessState, pattern)
		}
		select {
		case <-changed:
		case <-exited:
			exited = nil // and look once more
		case <-ctx.Done():
			return nil, fmt.Errorf("%s does not print %q: %w", p.cmd.Path, pattern, context.Cause(ctx))
		}
	}
}

// Pid is the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal; to a child that is gone it does nothing.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends the child as a power cut would, and returns when it is gone.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.exited
}

// Stop ends the child with SIGTERM and returns its exit code.
func (p *Process) Stop(ctx context.Context) (int, error) {
	p.Signal(syscall.SIGTERM)
	return p.Wait(ctx)
}

// Wait waits for the child's end and returns its exit code, -1 after a signal.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s does not end: %w", p.cmd.Path, context.Cause(ctx))
	}
}

// Exited is closed when the child is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

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

func startOnLastingThread(cmd *exec.Cmd) error {
	result := make(chan error)
	starts() <- func() { result <- cmd.Start() }
	return <-result
}
