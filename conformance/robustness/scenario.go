package robustness

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	randv2 "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// Scenario is what one run does.
type Scenario struct {
	Kind       Kind
	Zkines     int
	ZooKeepers int // 1, or the size of an ensemble
	// Busy says that zkines cut, pack, checkpoint and trim the log all the time.
	Busy bool
	// Faults happen in this order.
	Faults []Fault
	// Defaults says that ZooKeeper and zkine have their default times, instead of
	// the short ones that let a run end soon.
	Defaults bool
	// Probed adds a probe for each zkine, and tenants of leases.
	Probed bool
}

// Random draws a scenario with n faults; a seed always draws the same.
func Random(seed uint64, n int) Scenario {
	r := randv2.New(randv2.NewPCG(seed, 0))
	s := Scenario{
		Kind:       AllKinds[r.IntN(len(AllKinds))],
		Zkines:     1 + r.IntN(3),
		ZooKeepers: 1 + 2*(r.IntN(3)/2), // one run in three on an ensemble
	}
	faults := AllFaults
	if s.ZooKeepers > 1 {
		faults = slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return f.lone })
	}
	for range n {
		s.Faults = append(s.Faults, faults[r.IntN(len(faults))])
	}
	s.Busy = r.IntN(2) == 0
	return s
}

func (s Scenario) String() string {
	var faults []string
	for _, f := range s.Faults {
		faults = append(faults, f.Name)
	}
	log := ""
	if s.Busy {
		log = " with a busy log"
	}
	return fmt.Sprintf("%s on %d zkine(s) and %d ZooKeeper(s)%s: %s", s.Kind.Name, s.Zkines, s.ZooKeepers, log, strings.Join(faults, ", "))
}

// patience bounds a run without the judges. It is long: a loaded machine is
// slow, not wrong.
const patience = 5 * time.Minute

// Recorded is what a run leaves behind.
type Recorded struct {
	Case
	// Busy is the scenario's.
	Busy    bool
	History *History
	// Replay is what is left of the log at the end.
	Replay *Replay
	// Logs is the folder with the zkines' logs.
	Logs string
	// Impacts are what each fault cost, in a probed run.
	Impacts []Impact
}

// Run runs a scenario on zkines of that program and returns what it recorded.
// It fails the test if the scenario cannot be played, or if zkines and log
// disagree at the end.
func Run(t testing.TB, lg *zap.Logger, program string, s Scenario, seed uint64) *Recorded {
	t.Helper()
	rand.Seed(int64(seed)) //nolint:staticcheck // etcd's traffic draws from the global source; go.mod makes Seed work
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the run takes too long"))
	defer cancel()
	logs := t.TempDir()
	cluster := startCluster(ctx, t, program, logs, s)
	observer, err := Observe(ctx, cluster.Servers(), Root)
	if err != nil {
		t.Fatal(err)
	}
	defer observer.Close()
	load, err := startTraffic(ctx, lg, s.Kind, cluster.Endpoints(), seed)
	if err != nil {
		t.Fatal(err)
	}
	if s.Probed {
		load.probe(ctx, cluster.Zkines)
	}
	env := &faultEnv{Cluster: cluster, observer: observer, load: load, rand: randv2.New(randv2.NewPCG(seed, 1))}
	env.progress = func(ctx context.Context) error {
		return observer.AwaitRev(ctx, observer.Rev()+20+env.rand.Int64N(80))
	}
	faultErr := env.applyAll(ctx, t, s.Faults)
	if faultErr != nil {
		cancel() // ends the traffic
	}
	reports, loadErr := load.Finish(ctx)
	if err := errors.Join(faultErr, loadErr); err != nil {
		t.Fatal(err)
	}
	r := &Recorded{Case: Case{Reports: reports, UniqueRevision: s.Kind.ExpectUniqueRevision()}, Busy: s.Busy, Logs: logs}
	if s.Probed {
		r.measureImpacts(t, load, observer, env.windows)
	}
	r.readBack(ctx, t, cluster, observer)
	return r
}

// applyAll lets the faults happen, each after, during and before traffic.
func (e *faultEnv) applyAll(ctx context.Context, t testing.TB, faults []Fault) error {
	for _, f := range faults {
		if err := errors.Join(e.awaitWhole(ctx), e.progress(ctx)); err != nil {
			return fmt.Errorf("before %s: %w", f.Name, err)
		}
		start, rev := time.Now(), e.observer.Rev()
		e.hits = map[string]bool{}
		election, served := e.watchElection(ctx), e.watchServed(ctx, f.defaults)
		if err := f.apply(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		mended := time.Since(start)
		if err := e.AwaitReady(ctx); err != nil {
			return fmt.Errorf("after %s: %w", f.Name, err)
		}
		e.load.hurry()
		e.windows = append(e.windows, window{f.Name, start, time.Now(), e.hits, election(), served()})
		t.Logf("%-16s from revision %d: mended after %v, all ready after %v",
			f.Name, rev, mended.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	}
	return e.progress(ctx)
}

// readBack reads what each zkine shows, kills all, reads the log to its end and
// compares.
func (r *Recorded) readBack(ctx context.Context, t testing.TB, c *Cluster, o *Observer) {
	t.Helper()
	var all []*ServedState
	for _, z := range c.Zkines {
		if err := z.Ended(); err != nil {
			t.Fatal(err)
		}
		shown, err := readServedState(ctx, z.Endpoint)
		if err != nil {
			t.Fatalf("%s at the end: %v", z.Name, err)
		}
		all = append(all, shown)
	}
	c.Kill()
	for _, z := range c.Zkines {
		if err := z.CheckOutput(); err != nil {
			t.Error(err)
		}
	}
	history, err := o.End(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.History, r.Requests = history, history.Requests
	if err := history.CheckModel(); err != nil {
		t.Error(err)
	}
	if r.Replay, err = replay(ctx, c.Servers(), Root); err != nil {
		t.Fatal(err)
	}
	if err := history.CheckReplay(r.Replay); err != nil {
		t.Error(err)
	}
	if r.Busy && r.Replay.From == 0 {
		t.Error("the log was not busy: no checkpoint was written")
	}
	for i, shown := range all {
		if err := history.CheckServedState(shown); err != nil {
			t.Errorf("%s at the end: %v", c.Zkines[i].Name, err)
		}
	}
}
