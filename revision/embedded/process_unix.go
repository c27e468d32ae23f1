//go:build unix && !linux

package embedded

import "syscall"

// childAttr puts the child into a process group of its own, out of reach of the terminal's Ctrl-C. There is no
// parent-death signal here: after a kill -9 of zkine the child stays, and holds the data folder's lock.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// onOneProcessor calls start: here a child cannot be bound to a processor.
func onOneProcessor(_ uint, start func() error) error { return start() }
