package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/abuse/load"
)

// TestMain is the process of a load, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == loadCommand {
		if err := load.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// brief are the rows that make test takes, on zkine alone: those that once took memory, descriptors or log without bound.
var brief = []string{"garbage", "slow-headers", "refused-unread", "progress-unread", "gateway-large-watch"}

// TestBrief holds zkine to the bounds of memory, descriptors and log, and all else that does not depend on how busy the
// machine is. make abuse takes all rows, beside etcd.
func TestBrief(t *testing.T) {
	s, err := newStage(t.Context(), t.TempDir(), "")
	require.NoError(t, err)
	defer s.zooKeepers.Kill()
	const seed = 15
	o := options{warmup: 500 * time.Millisecond, calm: time.Second, seconds: 4, slack: 2 * time.Second, seed: seed}
	for _, name := range brief {
		t.Run(name, func(t *testing.T) {
			r := rowOf(t, name)
			res, err := s.turn(t.Context(), zkineKind, r, o)
			require.NoError(t, err)
			t.Logf("seed %d: %s", seed, res.short())
			require.Empty(t, exceeded(r, &res, nil))
			require.NotEmpty(t, res.did, "the load did nothing")
		})
	}
}

func rowOf(t *testing.T, name string) row {
	t.Helper()
	for _, r := range rows {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("there is no row %q", name)
	return row{}
}

// TestRowsAreLoads has a row for each load, and a load for each row.
func TestRowsAreLoads(t *testing.T) {
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	require.ElementsMatch(t, load.Names(), names)
}

func TestBars(t *testing.T) {
	good := func() *result {
		return &result{
			calm: latency{p99: 4 * time.Millisecond}, during: latency{p99: 8 * time.Millisecond, calls: 100},
			before: usage{descriptors: 10}, most: usage{descriptors: 50}, grown: 40 << 20, heapBefore: 1, heapUnder: 2, logged: 1 << 10,
			probes: probes{asked: 4, served: 4, ready: 4},
		}
	}
	r := row{name: "a", memory: 4, alone: 64, conns: 20}
	for what, c := range map[string]struct {
		change func(zkine, etcd *result)
		alone  bool // without an etcd
		want   string
	}{
		"all is well":    {change: func(_, _ *result) {}},
		"slow":           {change: func(z, _ *result) { z.during.p99 = 9 * time.Millisecond }, want: "p99 2.2 times"},
		"slowed as etcd": {change: func(z, e *result) { z.during.p99, e.calm.p99 = 9*time.Millisecond, 3*time.Millisecond }},
		"slow as etcd": {change: func(z, e *result) {
			z.during.p99, e.calm.p99, e.during.p99 = 9*time.Millisecond, time.Second, 10*time.Millisecond
		}},
		"a call failed":            {change: func(z, _ *result) { z.during.failed = 1 }, want: "1 of 100 calls failed"},
		"an event is lost":         {change: func(z, _ *result) { z.lost = 1 }, want: "1 events are lost"},
		"etcd failed as often":     {change: func(z, e *result) { z.during.failed, e.lost = 1, 1 }},
		"memory":                   {change: func(z, _ *result) { z.grown = 141 << 20 }, want: "memory grew by 141.0 MiB, bar 140.0 MiB"},
		"memory, alone":            {change: func(z, _ *result) { z.grown = 65 << 20 }, alone: true, want: "bar 64.0 MiB"},
		"descriptors":              {change: func(z, _ *result) { z.most.descriptors = 61 }, want: "61 descriptors, bar 60"},
		"log":                      {change: func(z, _ *result) { z.logged = 1 << 20 }, want: "logged 1.0 MiB"},
		"log as etcd":              {change: func(z, e *result) { z.logged, e.logged = 1<<20, 1<<20 }},
		"alive":                    {change: func(z, _ *result) { z.heapUnder = 21<<20 + 1 }, want: "21.0 MiB of heap are alive under the load, bar 20.0 MiB"},
		"alive as etcd":            {change: func(z, e *result) { z.heapUnder, e.heapUnder = 21<<20, 21<<20 }},
		"heap":                     {change: func(z, _ *result) { z.heapAfter = 37<<20 + 1 }, want: "kept 37.0 MiB of heap, bar 36.0 MiB"},
		"not as before":            {change: func(z, _ *result) { z.back, z.backWhy = time.Hour, "slow" }, want: "not as before after 15s: slow"},
		"newcomers":                {change: func(z, _ *result) { z.probes.served = 3 }, want: "3 of 4 newcomers"},
		"newcomers as etcd":        {change: func(z, e *result) { z.probes.served, e.probes.served = 3, 3 }},
		"not ready":                {change: func(z, e *result) { z.probes.ready, e.probes.served = 3, 0 }, want: "/readyz answered 3 of 4"},
		"not ready as etcd":        {change: func(z, e *result) { z.probes.ready, e.probes.ready = 3, 3 }},
		"dead":                     {change: func(z, _ *result) { z.died = context.Canceled }, want: "it died"},
		"dead, without an etcd":    {change: func(z, _ *result) { z.died = context.Canceled }, alone: true, want: "it died"},
		"failed, without an etcd":  {change: func(z, _ *result) { z.during.failed = 1 }, alone: true, want: "calls failed"},
		"newcomers, without etcd":  {change: func(z, _ *result) { z.probes.served = 1 }, alone: true, want: "1 of 4 newcomers"},
		"slow, without etcd":       {change: func(z, _ *result) { z.probes.served, z.probes.ready = 2, 2 }, alone: true},
		"all is well without etcd": {change: func(_, _ *result) {}, alone: true},
	} {
		zkine, etcd := good(), good()
		c.change(zkine, etcd)
		if c.alone {
			etcd = nil
		}
		all := append(slowed(zkine, etcd), exceeded(r, zkine, etcd)...)
		if c.want == "" {
			require.Empty(t, all, what)
			continue
		}
		require.Len(t, all, 1, what)
		require.Contains(t, all[0], c.want, what)
	}
}

// TestClientSums sums the client's calls up.
func TestClientSums(t *testing.T) {
	began := time.Now()
	c := &client{}
	for i := range 100 {
		c.add(call{due: began.Add(time.Duration(i) * time.Second), took: time.Duration(i+1) * time.Millisecond})
	}
	c.add(call{due: began, took: time.Hour, err: context.Canceled})
	c.puts, c.seen = []time.Time{began, began.Add(time.Minute)}, []bool{false, true}
	l := c.between(began.Add(time.Second), began.Add(51*time.Second))
	require.Equal(t, latency{p50: 27 * time.Millisecond, p99: 51 * time.Millisecond, calls: 50}, l)
	require.Equal(t, 1, c.between(began, began.Add(time.Second)).failed)
	c.open = map[int]time.Time{7: began.Add(time.Minute)}
	for _, want := range []struct {
		from       time.Duration
		open, lost int
	}{{0, 1, 1}, {time.Second, 1, 0}, {2 * time.Minute, 0, 0}} {
		open, lost := c.missing(began.Add(want.from), began.Add(time.Hour))
		require.Equal(t, want.open, open)
		require.Equal(t, want.lost, lost)
	}
}

// TestReportHasItsPlace writes a report into a document, twice, and into a new file.
func TestReportHasItsPlace(t *testing.T) {
	document, alone := filepath.Join(t.TempDir(), "a.md"), filepath.Join(t.TempDir(), "b.md")
	require.NoError(t, os.WriteFile(document, []byte("# a\n"+reportBegins+"old\n"+reportEnds+"more\n"), 0o600))
	for _, seed := range []uint64{1, 2} {
		r := &report{about: "here", seed: seed, taken: []taken{{row: row{name: "flood"}, takes: 1, zkine: &result{}, misses: []string{"slow"}}}}
		require.NoError(t, r.write(document))
		require.NoError(t, r.write(alone))
		require.ErrorContains(t, r.missed(), "flood: slow")
	}
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	whole, err := os.ReadFile(alone)
	require.NoError(t, err)
	require.Equal(t, "# a\n"+reportBegins+string(whole)+reportEnds+"more\n", string(text))
	require.Contains(t, string(whole), "here; seed 2\n")
	require.Contains(t, string(whole), "| flood | zkine |")
}
