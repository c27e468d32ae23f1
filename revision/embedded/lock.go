package embedded

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// lockPatience is how long a lock is waited for whose holder is gone: its ZooKeeper, killed with it, may still be
// on its way out.
const lockPatience = 10 * time.Second

// lock takes the lock of a data folder. It belongs to the open file, which the child inherits: it is released when
// every process that has the file is gone. Errors: ErrInUse, ErrFolder.
func lock(ctx context.Context, dir, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, folderError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for {
		held, err := tryLock(f)
		if err == nil {
			break
		}
		pid := holder(f)
		if !held {
			f.Close()
			return nil, folderError(fmt.Errorf("lock %s: %w", path, err))
		}
		if alive(pid) || !pause(ctx, 20*time.Millisecond) {
			f.Close()
			return nil, fmt.Errorf("%w: %s is held by process %d", ErrInUse, dir, pid)
		}
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, folderError(err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		f.Close()
		return nil, folderError(err)
	}
	return f, nil
}

// holder reads the pid in a lock file; 0 when there is none yet.
func holder(f *os.File) int {
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	return pid
}

// pause waits for d; false when the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
