//go:build unix

package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// listenUnix binds a socket that only this user may connect to. A socket file
// left behind by a process that is gone is replaced; one that answers, or a
// file that is no socket, is an error. The folder is locked during that, so
// that of two that start at once neither removes the other's socket.
func listenUnix(flag, rawURL, path string) (net.Listener, error) {
	if path == "" {
		return nil, fmt.Errorf("listen URL %q in %s: must be unix://path or unixs://path", rawURL, flag)
	}
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; see %s", rawURL, err, flag)
	}
	defer unlock()
	if err := removeStaleSocket(path); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, inUse(flag, rawURL, err)
		}
		return nil, fmt.Errorf("listen on %s: %w; see %s", rawURL, err, flag)
	}
	// The mode is set before the bind, which creates the file, so that there
	// is no moment at which others may connect.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
	}}
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; see %s", rawURL, err, flag)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on %s: %w", rawURL, err)
	}
	return l, nil
}

func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return syscall.EADDRINUSE
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

func lockFolder(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil // closing unlocks
}
