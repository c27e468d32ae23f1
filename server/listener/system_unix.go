//go:build unix

package listener

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// control sets the options of a socket before it is bound.
func (r Reuse) control(_, _ string, c syscall.RawConn) (err error) {
	set := func(fd uintptr, option int) {
		if err == nil {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, 1)
		}
	}
	failed := c.Control(func(fd uintptr) {
		if r.Port {
			set(fd, unix.SO_REUSEPORT)
		}
		if r.Address {
			set(fd, unix.SO_REUSEADDR)
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

// openFiles is the limit of open files of this process.
func openFiles() (uint64, error) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return uint64(limit.Cur), err //nolint:unconvert // it is signed on some systems
}
