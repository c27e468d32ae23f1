package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// record is what is known about one ConfigMap. Each is written by one writer, and each attempt to write it carries a
// number of its own, so that whatever is found can be laid to one attempt.
//
// Invariant: acked <= tried. While the object may exist, its number lies within [acked, tried].
type record struct {
	acked   int    // number of the newest content that was acknowledged, or seen by a consistent read; 0: none
	tried   int    // highest number that was ever sent
	version string // resourceVersion that belongs to acked
	unclear bool   // an attempt after acked had no clear outcome: look before writing again
	ending  bool   // a delete was sent
	gone    bool   // a delete was acknowledged, or a consistent read found nothing after one was sent
	faulted bool   // a fault was found and told: nothing more is expected of it
}

// ledger is what the writers know to have happened, against which the cluster is judged. Names are never used again
// after a delete. It is safe for concurrent use.
type ledger struct {
	mu      sync.Mutex
	records map[string]*record
	faults  []error
	counts  outcomes
	lastAck time.Time
}

// outcomes counts attempts, and the longest time that passed between two acknowledgements.
type outcomes struct {
	acknowledged, unclear int
	stall                 time.Duration
}

func newLedger() *ledger { return &ledger{records: map[string]*record{}} }

// begin resets the counts: a round of writing starts now.
func (l *ledger) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts, l.lastAck = outcomes{}, time.Now()
}

// content is what attempt number n writes into an object: anything that is not exactly this is a fault. Sizes vary
// up to some KiB.
func content(name string, n int) map[string]string {
	sum := sha256.Sum256([]byte(name + " " + strconv.Itoa(n)))
	return map[string]string{
		"number": strconv.Itoa(n),
		"filler": strings.Repeat(hex.EncodeToString(sum[:]), 1+int(sum[0])/4),
	}
}

// numberOf reads back the attempt that wrote an object.
func numberOf(o object) (int, error) {
	n, err := strconv.Atoi(o.Data["number"])
	if err != nil {
		return 0, fmt.Errorf("%s holds no attempt's number: %w", o.Metadata.Name, err)
	}
	if !maps.Equal(o.Data, content(o.Metadata.Name, n)) {
		return 0, fmt.Errorf("%s: the content is not that of attempt %d", o.Metadata.Name, n)
	}
	return n, nil
}

// update changes a record under the lock.
func (l *ledger) update(name string, change func(*record)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.records[name]
	if r == nil {
		r = &record{}
		l.records[name] = r
	}
	change(r)
}

// count notes how an attempt went.
func (l *ledger) count(acknowledged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !acknowledged {
		l.counts.unclear++
		return
	}
	now := time.Now()
	l.counts.acknowledged++
	l.counts.stall = max(l.counts.stall, now.Sub(l.lastAck))
	l.lastAck = now
}

// counted returns the counts so far.
func (l *ledger) counted() outcomes {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// blame notes something that no outcome of the attempts explains.
func (l *ledger) blame(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, fmt.Errorf(format, args...))
}

// judge compares all objects of the namespace with the ledger. No writer may be at work. Each fault is told once.
func (l *ledger) judge(found map[string]object) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	faults := l.faults
	l.faults = nil
	for _, name := range slices.Sorted(maps.Keys(l.records)) {
		o, there := found[name]
		if err := l.records[name].judge(o, there); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
			l.records[name].faulted = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		// The API server itself puts the cluster's CA into every namespace.
		if l.records[name] == nil && name != "kube-root-ca.crt" {
			faults = append(faults, fmt.Errorf("%s is there, but nobody wrote it", name))
			l.records[name] = &record{faulted: true}
		}
	}
	return firstOf(faults, 10)
}

// judge compares what was found with what may be.
func (r *record) judge(o object, there bool) error {
	switch {
	case r.faulted:
		return nil
	case !there && r.acked > 0 && !r.ending:
		return fmt.Errorf("lost: content %d was acknowledged", r.acked)
	case !there:
		return nil
	case r.gone:
		return fmt.Errorf("resurrected: its delete was acknowledged")
	}
	n, err := numberOf(o)
	if err != nil {
		return err
	}
	if n < r.acked || n > r.tried {
		return fmt.Errorf("holds content %d; %d was acknowledged, %d was the last to be tried", n, r.acked, r.tried)
	}
	if n == r.acked && o.Metadata.ResourceVersion != r.version {
		return fmt.Errorf("content %d was acknowledged at version %s and is now at %s", n, r.version, o.Metadata.ResourceVersion)
	}
	return nil
}

// see judges what a consistent read found and enters it: it clears up what was unclear.
func (r *record) see(o object, there bool) error {
	if err := r.judge(o, there); err != nil {
		return err
	}
	r.unclear = false
	if !there {
		r.gone = r.ending
		return nil
	}
	n, err := numberOf(o)
	r.acked, r.version = n, o.Metadata.ResourceVersion
	return err
}

// firstOf joins the first errors and says how many more there are.
func firstOf(errs []error, n int) error {
	if len(errs) > n {
		errs = append(errs[:n:n], fmt.Errorf("and %d more", len(errs)-n))
	}
	return errors.Join(errs...)
}
