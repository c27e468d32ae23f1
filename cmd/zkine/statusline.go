package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend"
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

const (
	barWidth = 30
	// barPeriod is how often the bar is drawn; barDelay is how long a start may
	// take without one.
	barPeriod = 100 * time.Millisecond
	barDelay  = 500 * time.Millisecond
)

// progress is how far something has come.
type progress interface {
	// Fraction is from 0 to 1; less if it is not known how much there is.
	Fraction() float64
	String() string
}

func bar(p progress) string {
	if p.Fraction() < 0 {
		return p.String()
	}

	full := int(p.Fraction() * barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat(" ", barWidth-full) + "] " + p.String()
}

// showStartup shows how far a start has come until the returned function is
// called: as a bar if there is a status line, else with a line in the log every
// 10 s.
func showStartup(log *logrus.Entry, status *statusLine, starting *backend.Startup) (done func()) {
	return showProgress(func(text string) { log.Info(text) }, status, func() progress { return starting.Progress() })
}

// showProgress is showStartup of anything; say takes the lines.
func showProgress(say func(string), status *statusLine, now func() progress) (done func()) {
	if status == nil {
		return ticking(slowStep, func(*time.Ticker) { say(now().String()) })
	}
	began := time.Now()
	over := ticking(barPeriod, func(*time.Ticker) {
		if p := now(); time.Since(began) >= barDelay {
			status.show(bar(p))
		}
	})
	return func() {
		over()
		status.show("")
	}
}
