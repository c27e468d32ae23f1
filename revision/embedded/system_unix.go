//go:build unix

package embedded

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// plainFile opens neither what a link points to, nor waits for a pipe's other end.
const plainFile = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// supported says whether this system has what keeps a local ZooKeeper to its user and to its zkine.
func supported() error { return nil }

// tryLock takes the lock of an open file, which children inherit. held says that another process has it.
func tryLock(f *os.File) (held bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK), err
}

func alive(pid int) bool {
	return pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// OwnerOf is the user id of a file's owner; -1 if the system tells none.
func OwnerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
