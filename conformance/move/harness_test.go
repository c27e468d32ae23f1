package move

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 3 * time.Minute

var (
	allFlag   = flag.Bool("all", false, "also run what takes minutes, kine or a kube-apiserver: make move")
	zkineFlag = flag.String("zkine", "", "path of the zkine to take; one is built by default, with the race detector unless -all is given")
)

func TestMain(m *testing.M) { zktest.Main(m) }

// long leaves a test out of the runs that belong to every change.
func long(t *testing.T) {
	t.Helper()
	if !*allFlag {
		t.Skip("takes minutes; make move runs it")
	}
}

var plain = sync.OnceValues(func() (string, error) { return rig.BuildZkine(context.Background()) })

// program is the zkine under test.
func program(t testing.TB) string {
	t.Helper()
	if *zkineFlag != "" {
		return *zkineFlag
	}
	if !*allFlag {
		return rigtest.Program(t)
	}
	path, err := plain()
	require.NoError(t, err)
	return path
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, condition func() error) {
	t.Helper()
	require.NoError(t, rig.Poll(within(t), condition))
}

// result is how a program ended.
type result struct {
	code     int // -1 after a signal
	out, err string
	peak     int64 // most memory that it had, in bytes
	took     time.Duration
}

func (r result) String() string { return r.out + r.err }

// command is a program that is run to its end. Programs of etcd check themselves.
func command(t testing.TB, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(within(t), path, args...)
	cmd.Env = append(os.Environ(), "ETCD_VERIFY=all")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// finish runs a command to its end, whatever that is.
func finish(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	began := time.Now()
	var exit *exec.ExitError
	if failed := cmd.Run(); failed != nil && !errors.As(failed, &exit) {
		require.NoError(t, failed)
	}
	r := result{code: cmd.ProcessState.ExitCode(), out: out.String(), err: err.String(), took: time.Since(began)}
	if usage, is := cmd.ProcessState.SysUsage().(*syscall.Rusage); is {
		r.peak = usage.Maxrss << 10
	}
	for _, broken := range []string{"panic: ", "DATA RACE", "fatal error: "} {
		require.NotContains(t, r.String(), broken)
	}
	return r
}

// tool runs one of the components, which has to succeed, and returns what it printed.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	r := finish(t, command(t, rigtest.Component(t, name), args...))
	require.Zero(t, r.code, "%s %s\n%s", name, strings.Join(args, " "), r)
	return r.out
}
