package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/bench/contender"
	"github.com/zkine/zkine/conformance/bench/load"
)

func updates(contender string, round int, ops int64, p50 float64) record {
	return record{Point: "update/100", Workload: "update", Clients: 100, Contender: contender, Round: round,
		Result: load.Result{Seconds: 2, Ops: ops, Latency: load.Summary{P50: p50, P99: 2 * p50}, ServerCPU: 1, ClientCPU: 0.5}}
}

func TestTableShowsMediansRatiosAndBars(t *testing.T) {
	records := []record{
		{Machine: "a machine"},
		updates("zkine3", 1, 60_000, 1), updates("zkine3", 2, 90_000, 3), updates("zkine3", 3, 50_000, 2),
		updates("etcd3", 1, 20_000, 4),
	}
	path := filepath.Join(t.TempDir(), "results")
	j, err := openJournal(path)
	require.NoError(t, err)
	for _, r := range records {
		require.NoError(t, j.add(r))
	}
	require.NoError(t, j.close())
	read, err := readAll([]string{path})
	require.NoError(t, err)
	require.Equal(t, records, read)

	text := markdown(read)
	require.Contains(t, text, "- a machine\n")
	require.Contains(t, text, "| update throughput, 100 clients, three : three | at least 2.2x | 3.00x | **met** |")
	require.Contains(t, text, "| update, 100 clients | ops/s | 30,000 | 10,000 |  | 3.00 |")
	require.Contains(t, text, "| update, 100 clients | p50, ms | 2.00 | 4.00 |  | 0.50 |")
	require.Contains(t, text, "| update, 100 clients | 16.7 (8.33) | 50.0 (25.0) |")
	require.NotContains(t, text, "kine-full")
}

// Two builds in one run are shown with the ratio of the medians, and the ratios of single rounds.
func TestTableComparesTwoBuilds(t *testing.T) {
	text := markdown([]record{
		updates("zkine3", 1, 2_000, 1), updates("before3", 1, 1_000, 2),
		updates("before3", 2, 2_000, 2), updates("zkine3", 2, 2_200, 1),
		updates("zkine3", 3, 2_400, 1), updates("before3", 3, 3_000, 2),
		updates("zkine1", 1, 2_000, 1),
	})
	require.Contains(t, text, "| update, 100 clients | ops/s | zkine3 | 1000 | 1100 | 1.100 | 0.800 to 2.000 |")
	require.Contains(t, text, "| update, 100 clients | p50, ms | zkine3 | 2.00 | 1.00 | 0.500 | 0.500 to 0.500 |")
	require.NotContains(t, text, "| zkine1 | 2000")
	require.NotContains(t, markdown([]record{updates("zkine3", 1, 1, 1)}), "before")
}

func TestNoContenderIsAlwaysAfterTheSameOne(t *testing.T) {
	on := []*contender.Contender{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	var got []string
	for round := range 4 {
		names := ""
		for _, c := range order(on, round) {
			names += c.Name
		}
		got = append(got, names)
	}
	require.Equal(t, []string{"abc", "acb", "cab", "cba"}, got)
	require.Equal(t, "abc", on[0].Name+on[1].Name+on[2].Name, "the list itself is left alone")
}

func TestBarsThatAskForLess(t *testing.T) {
	b := atMost("p50", "update/100", p50, "zkine3", "etcd3", 1)
	require.Contains(t, b.row([]record{updates("zkine3", 1, 1, 2), updates("etcd3", 1, 1, 2)}), "met")
	require.Contains(t, b.row([]record{updates("zkine3", 1, 1, 2.1), updates("etcd3", 1, 1, 2)}), "missed")
	require.Empty(t, b.row([]record{updates("zkine3", 1, 1, 2)}))
	more := times("ops", "update/100", "zkine3", "etcd3", 2)
	require.Contains(t, more.row([]record{updates("zkine3", 1, 19, 1), updates("etcd3", 1, 10, 1)}), "missed")
}

func TestBarsAndTablesNamePointsThatExist(t *testing.T) {
	for _, b := range bars {
		found := false
		for _, p := range points {
			found = found || p.String() == b.point && p.takes(b.zkine) && p.takes(b.other)
		}
		require.True(t, found, b.what)
	}
}

// What a point is measured on exists, and a phase that is replayed is in the recording.
func TestPointsNameContendersThatExist(t *testing.T) {
	for _, p := range points {
		taken := 0
		for _, name := range contender.Names() {
			if p.takes(name) {
				taken++
			}
		}
		require.GreaterOrEqual(t, taken, 2, p.String())
		for _, name := range p.only {
			require.Contains(t, contender.Names(), name, p.String())
		}
		if p.phase != "" {
			require.Contains(t, kubePhases, p.phase)
			require.NotNil(t, p.fresh)
		}
	}
}

// A replay's phases, memory and gets are shown, with bars of their own.
func TestTableShowsReplays(t *testing.T) {
	phase := func(contender string, cpu float64, memory int64) record {
		return record{Point: "kube-cold/delete", Workload: kubeCold, Contender: contender, Round: 1,
			Result: load.Result{Seconds: 30, Ops: 4000, ServerCPU: cpu, Memory: memory << 20, Latency: load.Summary{P50: 2}, Reads: load.Summary{P50: 1}}}
	}
	text := markdown([]record{phase("zkines3", 12, 600), phase("etcd3", 8, 300)})
	require.Contains(t, text, "| Kubernetes, resident memory of all processes at the end | at most 1.8x | 2.00x | missed |")
	require.Contains(t, text, "| kube-cold, delete | servers' processor time, s | 8.00 | 12.0 |  | 1.50 |")
	require.Contains(t, text, "| kube-cold, delete | get, p50, ms | 1.00 | 1.00 |  | 1.00 |")
	require.Contains(t, text, "| kube-cold, delete | memory at its end, MiB | 300 | 600 |  | 2.00 |")
}

func TestMoreRoundsWhereMoreIsAsked(t *testing.T) {
	require.Equal(t, 3, options{}.roundsOf(point{workload: "update-cold"}))
	require.Equal(t, 2, options{}.roundsOf(point{workload: "get"}))
	require.Equal(t, 5, options{rounds: 5}.roundsOf(point{workload: "get"}))
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0.1234: "0.12", 12.34: "12.3", 999: "999", 12345.6: "12,346", 1999.7: "2000", 99_999.9: "100,000", 1_234_567: "1,234,567"} {
		require.Equal(t, want, number(v))
	}
}

func TestPlotsAreWellFormed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, plot(dir, []record{updates("zkine3", 1, 60_000, 1), updates("etcd3", 1, 20_000, 4)}))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		require.NotContains(t, string(data), "NaN")
		d := xml.NewDecoder(strings.NewReader(string(data)))
		for err == nil {
			_, err = d.Token()
		}
		require.True(t, errors.Is(err, io.EOF), "%s: %v", f.Name(), err)
	}
}
