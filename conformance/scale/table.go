package main

import (
	"fmt"
	"io"
	"os"
)

// row is a line of the table.
type row struct {
	what, bar, measured string
	verdict             verdict
}

// verdict says how a row compares with its bar.
type verdict string

const (
	holds  verdict = "yes"
	missed verdict = "**no**"
	noted  verdict = "" // nothing was asked for
)

// table gathers what the parts measure.
type table struct{ rows []row }

// judge adds a row that has a bar.
func (t *table) judge(what, bar string, ok bool, format string, args ...any) {
	v := missed
	if ok {
		v = holds
	}
	t.add(row{what, bar, fmt.Sprintf(format, args...), v})
}

// note adds a row that has none.
func (t *table) note(what, format string, args ...any) {
	t.add(row{what, "", fmt.Sprintf(format, args...), noted})
}

// add shows the row at once, too: the whole takes long.
func (t *table) add(r row) {
	fmt.Fprintf(os.Stderr, "%s: %s %s\n", r.what, r.measured, r.verdict)
	t.rows = append(t.rows, r)
}

func (t *table) missed() (n int) {
	for _, r := range t.rows {
		if r.verdict == missed {
			n++
		}
	}
	return n
}

func (t *table) print(out io.Writer) error {
	if _, err := fmt.Fprint(out, "| what | bar | measured | holds |\n|---|---|---|---|\n"); err != nil {
		return err
	}
	for _, r := range t.rows {
		if _, err := fmt.Fprintf(out, "| %s | %s | %s | %s |\n", r.what, r.bar, r.measured, r.verdict); err != nil {
			return err
		}
	}
	return nil
}

// mib writes a number of bytes.
func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
