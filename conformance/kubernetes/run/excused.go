package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// excusedFile lists what is skipped, whatever the store, one "package test" a line; # begins a comment.
const excusedFile = "excused.txt"

func readExcused(dir string) (map[name]bool, error) {
	path := filepath.Join(dir, excusedFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	excused := map[name]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		switch len(fields) {
		case 0:
		case 2:
			excused[name{above + fields[0], fields[1]}] = true
		default:
			return nil, fmt.Errorf("%s: %q is not a package and a test", path, line)
		}
	}
	return excused, lines.Err()
}
