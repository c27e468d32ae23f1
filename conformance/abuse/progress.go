package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// progress shows on a terminal which row is being taken, and how long the rest takes; elsewhere only what has ended.
type progress struct {
	to       *os.File
	terminal bool
	began    time.Time
	rows     int
	ended    int
}

func newProgress(to *os.File, rows int) *progress {
	_, err := unix.IoctlGetTermios(int(to.Fd()), unix.TCGETS)
	return &progress{to: to, terminal: err == nil, began: time.Now(), rows: rows}
}

// clear takes the status line away.
const clear = "\r\x1b[K"

// barWidth is of the bar, in columns.
const barWidth = 20

// show shows what is going on.
func (p *progress) show(r row, kind string, take int) {
	if !p.terminal {
		return
	}
	bar := strings.Repeat("#", barWidth*p.ended/p.rows)
	rest := "?"
	if p.ended > 0 {
		rest = (time.Since(p.began) / time.Duration(p.ended) * time.Duration(p.rows-p.ended)).Round(time.Second).String()
	}
	again := ""
	if take > 1 {
		again = fmt.Sprintf(", take %d", take)
	}
	fmt.Fprintf(p.to, "%s[%-*s] %d of %d rows, about %s left: %s on %s%s", clear, barWidth, bar, p.ended, p.rows, rest, r.name, kind, again)
}

// line prints one that stays.
func (p *progress) line(format string, args ...any) {
	if p.terminal {
		fmt.Fprint(p.to, clear)
	}
	fmt.Fprintf(p.to, format+"\n", args...)
}

// done counts a row.
func (p *progress) done() { p.ended++ }

// end takes the status line away.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.to, clear)
	}
}
