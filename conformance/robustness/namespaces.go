package robustness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/zkine/zkine/conformance/rig"
)

// namespacesEnv is set in a process that has namespaces of its own.
const namespacesEnv = "ROBUSTNESS_NAMESPACES"

// inNamespaces says whether this process has a network and mounts of its own, in
// which it may do as it likes.
func inNamespaces() bool { return os.Getenv(namespacesEnv) != "" }

// runInNamespaces runs this program again, with namespaces of its own for the
// network and for mounts and with more arguments, and returns its exit code.
// Needs root.
func runInNamespaces(args ...string) (int, error) {
	cmd := exec.Command("/proc/self/exe", append(os.Args[1:], args...)...)
	cmd.Env = append(os.Environ(), namespacesEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:    syscall.SIGKILL,
	}
	err := rig.StartOnLastingThread(cmd)
	if err != nil {
		return 1, fmt.Errorf("namespaces of its own for network and mounts, for which it needs root: %w", err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	} else if err != nil {
		return 1, err
	}
	return 0, nil
}
