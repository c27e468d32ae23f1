package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// HotSpot's attach mechanism, which jcmd uses, without a JDK: a file .attach_pid<pid> in the process's folder and
// SIGQUIT make the JVM listen on /tmp/.java_pid<pid>; a request there is "1", the command and three arguments, each
// ended by a zero byte; the answer is a line with a number, 0 for success, and then text.

// attachLimit bounds how long the JVM may take to listen, and to answer: a full collection of a large heap.
const attachLimit = time.Minute

// jcmd runs one of HotSpot's diagnostic commands in a JVM.
func jcmd(ctx context.Context, pid int, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, attachLimit)
	defer cancel()
	conn, err := attach(ctx, pid)
	if err != nil {
		return "", fmt.Errorf("attach to the JVM %d: %w", pid, err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "1\x00jcmd\x00%s\x00\x00\x00", command); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	if len(answer) < 2 || answer[0] != '0' {
		return "", fmt.Errorf("%s: the JVM answers %q", command, answer)
	}
	return string(answer), nil
}

func attach(ctx context.Context, pid int) (net.Conn, error) {
	socket := filepath.Join(os.TempDir(), fmt.Sprintf(".java_pid%d", pid))
	if conn, err := net.Dial("unix", socket); err == nil {
		return conn, nil
	}
	wish := fmt.Sprintf("/proc/%d/cwd/.attach_pid%d", pid, pid)
	if err := os.WriteFile(wish, nil, 0o600); err != nil {
		return nil, err
	}
	defer os.Remove(wish)
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		return nil, err
	}
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return conn, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

var usedHeap = regexp.MustCompile(`(?m)^\s*(?:garbage-first heap|def new generation|tenured generation).*used (\d+)K`)

// heapInUse is how many bytes of a JVM's heap are in use after a full collection.
func heapInUse(ctx context.Context, pid int) (int64, error) {
	for range 2 { // what a first collection finalizes, a second one frees
		if _, err := jcmd(ctx, pid, "GC.run"); err != nil {
			return 0, err
		}
	}
	info, err := jcmd(ctx, pid, "GC.heap_info")
	if err != nil {
		return 0, err
	}
	found := usedHeap.FindAllStringSubmatch(info, -1)
	if found == nil {
		return 0, fmt.Errorf("no heap in %q", info)
	}
	var sum int64
	for _, f := range found {
		k, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += k << 10
	}
	return sum, nil
}
