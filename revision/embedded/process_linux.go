package embedded

import "syscall"

// childAttr puts the child into a process group of its own, out of reach of the terminal's Ctrl-C, and has the
// kernel kill it when we die, whatever kills us.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
