package simulation

import (
	"fmt"
	"hash"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
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

func (l *life) logger() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(notes{l})
	log.SetLevel(logrus.PanicLevel)
	if l.z.w.trace.words {
		log.SetLevel(logrus.DebugLevel)
	}
	log.SetFormatter(&logrus.TextFormatter{DisableTimestamp: true, DisableColors: true})
	return logrus.NewEntry(log)
}

// notes writes what a zkine logs into the trace.
type notes struct{ l *life }

func (n notes) Write(line []byte) (int, error) {
	w := n.l.z.w
	w.trace.note(w.now(), n.l.z.name, "log: "+string(line[:len(line)-1]))
	return len(line), nil
}
