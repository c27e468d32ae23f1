package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Job is one load on one server.
type Job struct {
	// Abuse is the load's name.
	Abuse string
	// Client, TLS and Metrics are ports of the server, as host:port: for clients in plaintext and with TLS, and for metrics.
	Client, TLS, Metrics string
	// Seed makes the random bytes.
	Seed uint64
	// Duration is how long the load goes on.
	Duration time.Duration
	// Revision is one before all that the server holds.
	Revision int64
}

// What the server holds for some loads.
const (
	// ListPrefix begins the keys of the large list.
	ListPrefix = "list/"
	// EventPrefix begins the keys with many events.
	EventPrefix = "event/"
	// User is one whose password no load knows.
	User = "root"
)

// Tally counts what a load has done, by a word for each thing.
type Tally struct {
	mu     sync.Mutex
	counts map[string]int64
}

// NewTally is an empty one.
func NewTally() *Tally { return &Tally{counts: map[string]int64{}} }

// add counts n more of a thing.
func (t *Tally) add(what string, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] += n
}

// most keeps the largest number of a thing.
func (t *Tally) most(what string, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] = max(t.counts[what], n)
}

// Counts are all counts so far.
func (t *Tally) Counts() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

// abuse goes on until ctx ends. What the server refuses is counted. An error is what keeps the load from being one.
type abuse func(ctx context.Context, j Job, t *Tally) error

// abuses are all loads by name.
var abuses = map[string]abuse{
	"idle-connections":    idleConnections,
	"preface-only":        prefaceOnly,
	"tls-half-open":       tlsHalfOpen,
	"reconnects":          reconnects,
	"garbage":             garbage,
	"slow-headers":        slowHeaders,
	"large-headers":       largeHeaders,
	"watch-streams":       watchStreams,
	"watch-churn-unread":  watchChurnUnread,
	"progress-unread":     progressUnread,
	"refused-unread":      refusedUnread,
	"slow-lists":          slowLists,
	"slow-events":         slowEvents,
	"stalled-snapshots":   stalledSnapshots,
	"login-large-names":   loginLargeNames,
	"login-wrong":         loginWrong,
	"gateway-large-unary": gatewayLarge("/v3/kv/put"),
	"gateway-large-watch": gatewayLarge("/v3/watch"),
	"gateway-slow-body":   gatewaySlowBody,
	"lease-grants":        leaseGrants,
	"keepalives":          keepalives,
	"keepalives-unread":   keepalivesUnread,
	"concurrent-puts":     concurrentPuts,
	"over-limit":          overLimit,
}

// Names are those of all loads, sorted.
func Names() []string { return slices.Sorted(maps.Keys(abuses)) }

// Run makes a load, and returns when its time is over.
func Run(ctx context.Context, j Job, t *Tally) error {
	run, known := abuses[j.Abuse]
	if !known {
		return fmt.Errorf("no load %q: there are %q", j.Abuse, Names())
	}
	ctx, cancel := context.WithTimeout(ctx, j.Duration)
	defer cancel()
	return run(ctx, j, t)
}

// lowest is the priority that leaves the processors to all others.
const lowest = 19

// Main is the process of a load: it reads a job as JSON, makes the load, and writes its counts as JSON.
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	var j Job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest); err != nil {
		return fmt.Errorf("lower the priority: %w", err)
	}
	t := NewTally()
	if err := Run(ctx, j, t); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(t.Counts())
}
