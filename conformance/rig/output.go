package rig

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// output is what a child prints, in memory.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed and replaced when there is more
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

// Write takes output.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

// String is all output so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// find returns the first match and its groups, and a channel that is closed when there is more output.
func (o *output) find(expression *regexp.Regexp) (match []string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return expression.FindStringSubmatch(o.text.String()), o.changed
}

// Await waits for output that matches, and returns the first match and its groups. The output must be kept in memory.
func (p *Process) Await(ctx context.Context, pattern string) ([]string, error) {
	l := p.last()
	if l == nil || p.Log != "" {
		return nil, errors.New(p.Name + " has no output in memory to wait for")
	}
	expression, exited := regexp.MustCompile(pattern), l.exited
	for {
		match, changed := l.output.find(expression)
		if match != nil {
			return match, nil
		}
		if exited == nil {
			return nil, fmt.Errorf("%s ended (%v) without printing %q", p.Name, l.cmd.ProcessState, pattern)
		}
		select {
		case <-changed:
		case <-exited:
			exited = nil // and look once more
		case <-ctx.Done():
			return nil, fmt.Errorf("%s does not print %q: %w", p.Name, pattern, context.Cause(ctx))
		}
	}
}
