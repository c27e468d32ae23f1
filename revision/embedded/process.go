package embedded

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
)

// process is one child, from its start to its death.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once it is gone and reaped, and its output read
	err    error         // how it ended; valid after exited
	heap   int64         // bytes, the largest that it was given
}

// outOfMemory says whether a process that is gone ended for want of heap: with the exit code that
// -XX:+ExitOnOutOfMemoryError has.
func (p *process) outOfMemory() bool {
	var exit *exec.ExitError
	return errors.As(p.err, &exit) && exit.ExitCode() == 3
}

// startProcess starts a child. Linux sends the parent-death signal when the *thread* that started the child ends, so
// that a goroutine holds that thread for as long as the child lives. A thread that enter has changed ends with it.
func startProcess(cmd *exec.Cmd, heap int64, cfg Config) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{}), heap: heap}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		if cfg.Enter == nil {
			defer runtime.UnlockOSThread()
		} else if err := cfg.Enter(); err != nil {
			started <- err
			return
		}
		err := cfg.begin(cmd)
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.exited)
		}
	}()
	return p, <-started
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal sends a signal; to a process that is gone it does nothing.
func (p *process) signal(sig os.Signal) { _ = p.cmd.Process.Signal(sig) }
