package main

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// statusLine is a terminal on which the last line may be a bar: what is written
// goes above it.
type statusLine struct {
	mu   sync.Mutex
	out  io.Writer
	line string // what stands in the last line; "" for nothing
}

// clearLine takes the cursor to the line's start and empties it.
const clearLine = "\r\x1b[K"

func (s *statusLine) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.out.Write(b)
	}
	_, err := fmt.Fprintf(s.out, "%s%s%s", clearLine, b, s.line)
	return len(b), err
}

// show replaces the last line.
func (s *statusLine) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line == s.line {
		return
	}
	s.line = line
	fmt.Fprint(s.out, clearLine+line)
}

// terminal is out as one, if it is one.
func terminal(out io.Writer) (*statusLine, bool) {
	file, ok := out.(*os.File)
	if !ok {
		return nil, false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil, false
	}
	return &statusLine{out: out}, true
}
