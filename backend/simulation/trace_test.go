package simulation

import (
	"fmt"
	"hash"
	"hash/fnv"
	"strings"
	"sync"
	"time"
)

// trace is what happened, as a hash and, if wanted, in words.
type trace struct {
	words bool

	mu    sync.Mutex
	sum   hash.Hash64
	lines []string
}

func newTrace(words bool) *trace { return &trace{sum: fnv.New64a(), words: words} }

// event notes a step of the scheduler's.
func (t *trace) event(at time.Duration, who, what string) {
	fmt.Fprintf(t.sum, "%d %s %s\n", at, who, what)
	t.note(at, who, what)
}

// note adds words that are no part of the hash.
func (t *trace) note(at time.Duration, who, what string) {
	if t.words {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.lines = append(t.lines, fmt.Sprintf("%14v %-8s %s", at, who, what))
	}
}

// parts tells where another trace goes another way.
func (t *trace) parts(other *trace) string {
	a, b := t.events(), other.events()
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("event %d\n  %s\n  %s", i, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d and %d events", len(a), len(b))
}

// events are the lines without what zkines have logged.
func (t *trace) events() (out []string) {
	for _, line := range t.lines {
		if !strings.Contains(line, " log: ") {
			out = append(out, line)
		}
	}
	return out
}

func (t *trace) String() string { return strings.Join(t.lines, "\n") }
