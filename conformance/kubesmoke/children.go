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

// sweepOrphans kills and waits for every child that is still there, with its own children, and returns how many were
// alive: those that had ended, such as the ZooKeeper that dies with its zkine, only waited for somebody to ask. It is
// for the end of the run, when all that was started on purpose has been stopped.
func sweepOrphans() (int, error) {
	swept := 0
	for {
		children, err := childrenOf(os.Getpid())
		if err != nil || len(children) == 0 {
			return swept, err
		}
		for _, child := range children {
			if !child.ended {
				swept++
			}
			if err := syscall.Kill(child.pid, syscall.SIGKILL); err != nil {
				return swept, fmt.Errorf("kill left-over process %d: %w", child.pid, err)
			}
			// Its children come to us next: hence the outer loop.
			if _, err := syscall.Wait4(child.pid, nil, 0, nil); err != nil {
				return swept, fmt.Errorf("wait for left-over process %d: %w", child.pid, err)
			}
		}
	}
}

// descendantWith returns the pid of a process below this one whose command line contains a text.
func descendantWith(text string) (int, error) {
	queue := []child{{pid: os.Getpid()}}
	for len(queue) > 0 {
		children, err := childrenOf(queue[0].pid)
		if err != nil {
			return 0, err
		}
		queue = append(queue[1:], children...)
		for _, child := range children {
			line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(child.pid), "cmdline"))
			if err == nil && strings.Contains(string(line), text) {
				return child.pid, nil
			}
		}
	}
	return 0, fmt.Errorf("no process of this run has %q in its command line", text)
}

// child is a process as its parent sees it.
type child struct {
	pid   int
	ended bool // a zombie
}

// childrenOf lists the children of a process.
func childrenOf(parent int) ([]child, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var children []child
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
		children = append(children, child{pid: pid, ended: fields[0] == "Z"})
	}
	return children, nil
}
