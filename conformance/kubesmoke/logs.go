package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// longestLine is how much of a log's line is shown.
const longestLine = 400

// printTails shows the end of each log, that of the store last and longest.
func printTails(c *cluster) {
	for _, p := range c.processes() {
		if p != c.store.Process {
			printTail(p.Log, 15)
		}
	}
	if c.store.zooKeeperLog != "" {
		printTail(c.store.zooKeeperLog, 15)
	}
	printTail(c.store.Log, 60)
}

func printTail(path string, lines int) {
	fmt.Printf("\n--- the last lines of %s\n%s\n", path, tail(path, lines))
}

// tail returns the last lines of a log, or why there are none.
func tail(path string, lines int) string {
	const enough = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		if _, err := f.Seek(max(0, size-enough), io.SeekStart); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		all[i] = line[:min(len(line), longestLine)]
	}
	return strings.Join(all, "\n")
}
