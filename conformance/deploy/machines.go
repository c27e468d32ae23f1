package deploy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Machines stand for several machines on one network: network namespaces with addresses 10.20.0.1 and so on, host names,
// and files of their own above those of this machine. They need root, and overlayfs.
type Machines struct {
	dir   string
	cmd   *exec.Cmd
	input io.WriteCloser
}

// StartMachines makes them by a script, testdata/machines.sh. In dir, an empty folder, their files are mounted; work and
// checkout are folders that they share with this machine.
func StartMachines(script, dir, work, checkout string, names ...string) (*Machines, error) {
	m := &Machines{dir: dir}
	m.cmd = exec.Command("unshare", append([]string{"--net", "--mount", "--uts", script, dir, work, checkout}, names...)...)
	var err error
	if m.input, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var complaints strings.Builder
	m.cmd.Stderr = &complaints
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		m.End()
		return nil, fmt.Errorf("no machines: %w: %s", errors.Join(err, m.cmd.Err), complaints.String())
	}
	return m, nil
}

// Services is the end of what the services of a machine have printed.
func (m *Machines) Services(name string) string {
	var all strings.Builder
	logs, _ := filepath.Glob(fmt.Sprintf("/proc/%d/root%s", m.cmd.Process.Pid, filepath.Join(m.dir, name, "root/run/units/*.log"))) // the pattern is good
	for _, log := range logs {
		text, err := os.ReadFile(log)
		fmt.Fprintf(&all, "%s %v:\n%s\n", filepath.Base(log), err, text[max(0, len(text)-5000):])
	}
	return all.String()
}

// End takes the machines away. Shells on them have to be ended first.
func (m *Machines) End() {
	m.input.Close()
	_ = m.cmd.Wait() // what it could say, it has said to its caller
}

// Shell starts a shell as root on a machine, or beside them where it sees all their files, if name is "". Its folder is one
// that the machines share.
func (m *Machines) Shell(name, dir string, env ...string) (*Shell, error) {
	if name == "" {
		return newShell([]string{"nsenter", fmt.Sprintf("--target=%d", m.cmd.Process.Pid), "--mount", "--net", "--wd=" + dir}, dir, env...)
	}
	pid, err := os.ReadFile(filepath.Join(m.dir, name, "pid"))
	if err == nil {
		return nil, fmt.Errorf("the machines' files are seen from outside: %s", pid)
	}
	inside := fmt.Sprintf("/proc/%d/root%s", m.cmd.Process.Pid, filepath.Join(m.dir, name, "pid"))
	if pid, err = os.ReadFile(inside); err != nil {
		return nil, err
	}
	return newShell([]string{
		"nsenter", "--target=" + strings.TrimSpace(string(pid)), "--mount", "--net", "--uts",
		"chroot", filepath.Join(m.dir, name, "root"),
	}, dir, env...)
}
