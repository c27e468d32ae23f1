package deploy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
)

// Shell is a bash that runs blocks of commands in order, each in what the ones before have left: folders, variables,
// functions, servers in the background. It ends at the first command that fails, as with set -euo pipefail.
type Shell struct {
	dir    string
	cmd    *exec.Cmd
	input  io.WriteCloser
	done   *bufio.Reader // a line for each block that has ended well
	exited chan struct{} // closed when the shell itself is gone
	log    string
	blocks int
}

// NewShell starts a shell in a folder, which must exist; what it and its children print goes to a file there, log.txt.
// Env holds "NAME=value" strings besides those of this process.
func NewShell(dir string, env ...string) (*Shell, error) {
	return newShell(nil, dir, env...)
}

// newShell has a command run the shell that its arguments end with, in other namespaces for example; the folder is there
// under the same name.
func newShell(within []string, dir string, env ...string) (*Shell, error) {
	s := &Shell{dir: dir, exited: make(chan struct{}), log: filepath.Join(dir, "log.txt")}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own descriptor
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close() // as above
	s.done = bufio.NewReader(read)
	command := slices.Concat(within, []string{"bash", "--noprofile", "--norc"})
	s.cmd = exec.Command(command[0], command[1:]...)
	s.cmd.Dir, s.cmd.Env = dir, append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.ExtraFiles = log, log, []*os.File{write}
	// A group of its own holds what it leaves in the background, for End.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.input, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is read off the state
		close(s.exited)
		read.Close() // ends a Run that waits: children in the background hold the other side open
	}()
	_, err = io.WriteString(s.input, "set -euo pipefail\n")
	return s, err
}

// Run runs a block and returns when it has ended. Commands find their input empty.
func (s *Shell) Run(ctx context.Context, text string) error {
	s.blocks++
	file := filepath.Join(s.dir, fmt.Sprintf("block%02d.sh", s.blocks))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(s.input, "echo '--- block %d'\n. '%s' </dev/null\necho >&3\n", s.blocks, file); err != nil {
		return fmt.Errorf("the shell has ended before block %d: %w", s.blocks, err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.done.ReadString('\n')
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			<-s.exited
			return fmt.Errorf("a command of block %d failed (%v)", s.blocks, s.cmd.ProcessState)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("block %d does not end: %w", s.blocks, context.Cause(ctx))
	}
}

// Log is what the shell and its children have printed.
func (s *Shell) Log() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// End kills the shell and all that runs in its group, and returns when the shell is gone.
func (s *Shell) End() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // an empty group is no matter
	<-s.exited
}
