package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER of prctl(2), which package syscall does not name.
const prSetChildSubreaper = 36

// adoptOrphans makes this process the parent of whatever its children leave behind, such as the ZooKeeper of a zkine
// that was killed, so that sweepOrphans can find it.
func adoptOrphans() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return fmt.Errorf("become a subreaper: %w", errno)
	}
	return nil
}

// sweepOrphans kills and waits for every child that is still there, with its own children, and returns how many
// were. It is for the end of the run, when all that was started on purpose has been stopped.
func sweepOrphans() (int, error) {
	swept := 0
	for {
		children, err := childrenOf(os.Getpid())
		if err != nil || len(children) == 0 {
			return swept, err
		}
		for _, pid := range children {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				return swept, fmt.Errorf("kill left-over process %d: %w", pid, err)
			}
			// Its children come to us next: hence the outer loop.
			if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
				return swept, fmt.Errorf("wait for left-over process %d: %w", pid, err)
			}
			swept++
		}
	}
}

// descendantWith returns the pid of a process below this one whose command line contains a text.
func descendantWith(text string) (int, error) {
	queue := []int{os.Getpid()}
	for len(queue) > 0 {
		children, err := childrenOf(queue[0])
		if err != nil {
			return 0, err
		}
		queue = append(queue[1:], children...)
		for _, pid := range children {
			line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
			if err == nil && strings.Contains(string(line), text) {
				return pid, nil
			}
		}
	}
	return 0, fmt.Errorf("no process of this run has %q in its command line", text)
}

// childrenOf lists the children of a process, zombies included.
func childrenOf(parent int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (name, which may hold anything) state ppid ...: proc_pid_stat(5)
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
