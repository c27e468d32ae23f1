package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"
)

// step is one thing that was checked. It returns a note for the summary, such as a timing, and what was wrong.
type step func(context.Context) (note string, err error)

// suite runs steps and keeps their results for the summary. A failure does not keep the next step from running,
// only the end of ctx does.
type suite struct {
	ctx context.Context
	out io.Writer

	mu      sync.Mutex
	results []result
	aside   sync.WaitGroup
}

type result struct {
	name string
	note string
	took time.Duration
	err  error
}

// check runs a step.
func (s *suite) check(name string, do step) bool {
	if s.ctx.Err() != nil {
		return false
	}
	started := time.Now()
	note, err := do(s.ctx)
	r := result{name: name, note: note, took: time.Since(started), err: err}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results = append(s.results, r)
	if err != nil {
		fmt.Fprintf(s.out, "FAIL  %-44s %8s  %v\n", name, short(r.took), err)
		return false
	}
	fmt.Fprintf(s.out, "ok    %-44s %8s  %s\n", name, short(r.took), note)
	return true
}

// alongside runs a step that mostly waits, while others run. Join waits for all of them.
func (s *suite) alongside(name string, do step) {
	s.aside.Go(func() { s.check(name, do) })
}

func (s *suite) join() { s.aside.Wait() }

// failed counts the steps that failed.
func (s *suite) failed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.results {
		if r.err != nil {
			n++
		}
	}
	return n
}

// summary prints all results in the order in which they came.
func (s *suite) summary() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\ncheck\tresult\ttook\tnote\n")
	for _, r := range s.results {
		verdict := "ok"
		if r.err != nil {
			verdict = "FAILED"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.name, verdict, short(r.took), r.note)
	}
	return w.Flush()
}

// short prints a duration to hundredths of a second.
func short(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }

// timed returns how long do took.
func timed(do func() error) (time.Duration, error) {
	started := time.Now()
	err := do()
	return time.Since(started), err
}
