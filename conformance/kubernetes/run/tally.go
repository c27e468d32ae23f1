package main

import (
	"strings"
	"time"
)

// marker is in a line of each test that has a zkine; package testserver prints it.
const marker = "zkine serves this test"

// name is a test or subtest of a package.
type name struct{ pkg, test string }

func (n name) String() string { return strings.TrimPrefix(n.pkg, above) + " " + n.test }

// top says whether it is a test function, not a subtest.
func (n name) top() bool { return !strings.Contains(n.test, "/") }

// outcome is what became of a test in all its runs.
type outcome struct {
	begun, passed, failed, skipped int
	output                         []string // of the run under way, or of the first that failed
}

// unfinished is how many runs ended with the process.
func (o *outcome) unfinished() int { return o.begun - o.passed - o.failed - o.skipped }

// tally is what became of all tests, in the order in which they began.
type tally struct {
	names    []name
	tests    map[name]*outcome
	packages map[string]*packageOutcome
	// build is what the compiler printed.
	build []string
}

type packageOutcome struct {
	served  int // zkines that were started
	elapsed time.Duration
	ended   bool     // the last round
	failed  bool     // a round
	output  []string // outside of tests, like a panic's
}

func newTally() *tally {
	return &tally{tests: map[name]*outcome{}, packages: map[string]*packageOutcome{}}
}

func (t *tally) pkg(path string) *packageOutcome {
	p := t.packages[path]
	if p == nil {
		p = &packageOutcome{}
		t.packages[path] = p
	}
	return p
}

func (t *tally) add(e event) {
	if e.Action == "build-output" {
		t.build = append(t.build, e.Output)
	}
	if e.Package == "" {
		return
	}
	p := t.pkg(e.Package)
	if strings.Contains(e.Output, marker) {
		p.served++
	}
	if e.Test != "" {
		t.addTest(e)
		return
	}
	switch e.Action {
	case "start":
		p.ended = false
	case "output":
		p.output = append(p.output, e.Output)
	case "pass", "fail", "skip":
		p.ended = true
		p.failed = p.failed || e.Action == "fail"
		p.elapsed += time.Duration(e.Elapsed * float64(time.Second))
	}
}

func (t *tally) addTest(e event) {
	n := name{e.Package, e.Test}
	o := t.tests[n]
	if o == nil {
		o = &outcome{}
		t.tests[n] = o
		t.names = append(t.names, n)
	}
	switch e.Action {
	case "run":
		o.begun++
		if o.failed == 0 {
			o.output = nil
		}
	case "output":
		if o.failed == 0 {
			o.output = append(o.output, e.Output)
		}
	case "pass":
		o.passed++
	case "fail":
		o.failed++
	case "skip":
		o.skipped++
	}
}
