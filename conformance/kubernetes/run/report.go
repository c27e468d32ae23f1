package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// maxShown bounds the lines printed of a test that failed; the events' file has all.
const maxShown = 80

// counts sums up a package, or all. Runs of test functions and of subtests count alike.
type counts struct {
	functions                              int
	passed, failed, skipped, served, total int
	elapsed                                time.Duration
}

func (c *counts) plus(d counts) {
	c.functions += d.functions
	c.passed += d.passed
	c.failed += d.failed
	c.skipped += d.skipped
	c.served += d.served
	c.total += d.total
	c.elapsed += d.elapsed
}

// count sums up a package.
func (t *tally) count(path string) counts {
	p := t.pkg(path)
	c := counts{served: p.served, elapsed: p.elapsed}
	for n, o := range t.tests {
		if n.pkg != path {
			continue
		}
		if n.top() {
			c.functions++
		}
		c.total += o.begun
		c.passed += o.passed
		c.failed += o.failed + o.unfinished()
		c.skipped += o.skipped
	}
	return c
}

// report prints the table, and what went wrong below it.
func report(w io.Writer, t *tally, chosen []suite, v verdict, o options, took time.Duration) {
	for _, n := range v.show {
		show(w, n, t.tests[n].output)
	}
	for _, s := range chosen {
		if p := t.pkg(s.path()); p.failed {
			show(w, name{pkg: s.path()}, p.output)
		}
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "package\tfunctions\tand subtests\tpassed\tfailed\tskipped\t"+o.store+"s\tseconds\t")
	var all counts
	for _, s := range chosen {
		c := t.count(s.path())
		all.plus(c)
		row(table, s.name, c, o)
	}
	row(table, "all", all, o)
	table.Flush() //nolint:errcheck // to a person
	fmt.Fprintln(w)
	for _, what := range v.wrong {
		fmt.Fprintln(w, "wrong:", what)
	}
	if len(v.wrong) == 0 {
		fmt.Fprintf(w, "Kubernetes' storage tests pass on %s%s, in %v.\n", o.store, busyWords(o), took.Round(time.Second))
	}
}

func busyWords(o options) string {
	if o.store == storeZkine && o.busy {
		return " with a busy log"
	}
	return ""
}

func row(w io.Writer, label string, c counts, o options) {
	served := fmt.Sprint(c.served)
	if o.store != storeZkine {
		served = "?" // upstream's test server does not say
	}
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%.0f\t\n",
		label, c.functions, c.total, c.passed, c.failed, c.skipped, served, c.elapsed.Seconds())
}

// show prints the end of what a test printed.
func show(w io.Writer, n name, output []string) {
	lines := strings.Split(strings.TrimRight(strings.Join(output, ""), "\n"), "\n")
	fmt.Fprintf(w, "\n--- %v\n", n)
	if cut := len(lines) - maxShown; cut > 0 {
		fmt.Fprintf(w, "    (%d lines before)\n", cut)
		lines = lines[cut:]
	}
	fmt.Fprintln(w, strings.Join(lines, "\n"))
}
