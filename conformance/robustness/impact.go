package robustness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// window is the time from a fault's beginning until all was well again.
type window struct {
	name     string
	from, to time.Time
	hits     map[string]bool // the zkines that it hit
	election time.Duration   // see watchElection
	served   time.Time       // see watchServed; zero if that was not watched
}

// Impact is what clients felt of a fault. Times are in milliseconds.
type Impact struct {
	Fault string `json:"fault"`
	// Hit is the longest time in which no write was acknowledged at a zkine that
	// the fault hit, Others that at any other; -1 if there was none.
	Hit    int64 `json:"hit_ms"`
	Others int64 `json:"others_ms"`
	// Election is how long ZooKeeper had no leader, -1 if it had one.
	Election int64 `json:"election_ms"`
	// Late is how long after ZooKeeper served a plain client again the last zkine
	// acknowledged a write; -1 if that was not watched.
	Late int64 `json:"late_ms"`
	// Lasted is from the fault's beginning until all zkines were ready.
	Lasted int64 `json:"lasted_ms"`
}

// measureImpacts measures what the faults cost, and judges leases and identities.
func (r *Recorded) measureImpacts(t testing.TB, load *Traffic, o *Observer, windows []window) {
	t.Helper()
	for _, w := range windows {
		f := Impact{w.name, -1, -1, -1, -1, w.to.Sub(w.from).Milliseconds()}
		if w.election > 0 {
			f.Election = w.election.Milliseconds()
		}
		for _, p := range load.Probes {
			longest, until := p.Longest(w.from, w.to)
			gap := longest.Milliseconds()
			if !w.served.IsZero() {
				f.Late = max(f.Late, until.Sub(w.served).Milliseconds(), 0)
			}
			if w.hits[p.name] {
				f.Hit = max(f.Hit, gap)
			} else {
				f.Others = max(f.Others, gap)
			}
		}
		t.Logf("%-28s no write for %6d ms at a zkine that was hit, %6d ms at others; no leader for %6d ms; %6d ms after ZooKeeper served again; lasted %6d ms",
			f.Fault, f.Hit, f.Others, f.Election, f.Late, f.Lasted)
		r.Impacts = append(r.Impacts, f)
	}
	for _, p := range load.Probes {
		if p.err != nil {
			t.Error(p.err)
		}
	}
	// A zkine without service lets no time pass for leases, whatever the reason.
	bad := slices.Clone(windows)
	for _, p := range load.Probes {
		bad = append(bad, p.Outages()...)
	}
	slices.SortFunc(bad, func(a, b window) int { return a.from.Compare(b.from) })
	ended := o.Ended()
	if err := load.Tenants.Check(ended, bad, load.ended); err != nil {
		t.Error(err)
	}
	r.Reports = append(r.Reports, load.Tenants.expiries(ended))
}

// awaitWhole waits until each ZooKeeper serves and each probe's zkine takes writes: what is felt of the next fault is to
// be that one's alone.
func (e *faultEnv) awaitWhole(ctx context.Context) error {
	since := time.Now()
	for !e.whole(ctx, since) {
		if err := lastFor(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("not all ZooKeepers and zkines serve again: %w", err)
		}
	}
	return nil
}

func (e *faultEnv) whole(ctx context.Context, since time.Time) bool {
	asking, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, s := range e.ZooKeepers {
		if _, err := fourletter.Mode(asking, s.Addr()); err != nil {
			return false
		}
	}
	for _, p := range e.load.Probes {
		if !p.ackedSince(since) {
			return false
		}
	}
	return true
}

// watchElection looks for a time without a leader among the ZooKeepers that
// can be asked. The function that it returns ends it, and tells how long that
// was: from the fault's beginning until there was a leader, if there was
// another one than before, or none for a while.
func (e *faultEnv) watchElection(ctx context.Context) (end func() time.Duration) {
	if e.ensemble == nil {
		return func() time.Duration { return 0 }
	}
	before := e.leaders(ctx)
	ctx, cancel := context.WithCancel(ctx)
	from, done := time.Now(), make(chan struct{})
	var found time.Duration
	go func() {
		defer close(done)
		missed := false
		for ctx.Err() == nil && found == 0 {
			now := e.leaders(ctx)
			switch {
			case now == "":
				missed = true
			case missed || now != before:
				found = time.Since(from)
			}
			lastFor(ctx, 20*time.Millisecond) //nolint:errcheck // the loop asks
		}
	}()
	return func() time.Duration {
		cancel()
		<-done
		return found
	}
}

// leaders is the address of a server that says it leads, "" if none does.
func (e *faultEnv) leaders(ctx context.Context) string {
	answers := make(chan string, len(e.ZooKeepers))
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	for _, s := range e.ZooKeepers {
		go func() {
			if mode, _ := fourletter.Mode(ctx, s.Addr()); mode == "leader" {
				answers <- s.Addr()
			} else {
				answers <- ""
			}
		}()
	}
	leader := ""
	for range e.ZooKeepers {
		if a := <-answers; a != "" {
			leader = a
		}
	}
	return leader
}

// appendImpacts adds lines to a table.
func appendImpacts(file string, impacts []Impact) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, line := range impacts {
		if err := json.NewEncoder(f).Encode(line); err != nil {
			return err
		}
	}
	return nil
}
