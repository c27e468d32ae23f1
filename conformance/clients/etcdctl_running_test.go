package clients

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// running is an etcdctl that goes on until it is told to end. What it prints, both streams as one, is read line by
// line.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
	words map[string]string // what placeholders stand for, as in transcripts
}

func startEtcdctl(t *testing.T, endpoint string, args ...string) *running {
	t.Helper()
	program := rigtest.Component(t, "etcdctl")
	r := &running{t: t, cmd: exec.CommandContext(within(t), program, args...), words: map[string]string{}}
	r.cmd.Env = environment(t, endpoint)
	var err error
	r.stdin, err = r.cmd.StdinPipe()
	require.NoError(t, err)
	out, in, err := os.Pipe()
	require.NoError(t, err)
	r.cmd.Stdout, r.cmd.Stderr = in, in
	require.NoError(t, r.cmd.Start())
	require.NoError(t, in.Close())
	r.lines = bufio.NewScanner(out)
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it may be gone
		_ = r.cmd.Wait()
		out.Close()
	})
	return r
}

// next is the next line, but for those of the client's log.
func (r *running) next() (line string, more bool) {
	for r.lines.Scan() {
		if line := r.lines.Text(); !strings.HasPrefix(line, `{"level":`) {
			return line, true
		}
	}
	return "", false
}

// prints waits for lines.
func (r *running) prints(want ...string) {
	r.t.Helper()
	for _, w := range want {
		line, more := r.next()
		require.True(r.t, more, "no more output instead of %q", w)
		match(r.t, step{command: strings.Join(r.cmd.Args, " "), want: w}, line, r.words)
	}
}

func (r *running) types(line string) {
	r.t.Helper()
	_, err := io.WriteString(r.stdin, line+"\n")
	require.NoError(r.t, err)
}

// ends waits for the end, and returns the exit code. There must be no more output.
func (r *running) ends() int {
	r.t.Helper()
	line, more := r.next()
	require.False(r.t, more, "printed %q", line)
	if err := r.cmd.Wait(); err != nil {
		require.ErrorAs(r.t, err, new(*exec.ExitError))
	}
	return r.cmd.ProcessState.ExitCode()
}

// stop ends it as Ctrl-C would.
func (r *running) stop() int {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Signal(syscall.SIGINT))
	return r.ends()
}

// crash ends it as a power cut would.
func (r *running) crash() {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Kill())
	r.ends()
}
