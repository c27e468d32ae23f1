package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/zkine/zkine/conformance/bench/contender"
)

// report prints and writes what was asked for.
func report(o options, records []record) error {
	text := markdown(records)
	fmt.Print(text)
	if o.markdown != "" {
		if err := os.WriteFile(o.markdown, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if o.plots != "" {
		return plot(o.plots, records)
	}
	return nil
}

// markdown is all tables.
func markdown(records []record) string {
	var b strings.Builder
	for _, r := range records {
		if r.Machine != "" {
			fmt.Fprintf(&b, "- %s\n", r.Machine)
		}
	}
	for _, name := range taking(records) {
		fmt.Fprintf(&b, "- %s: %s\n", name, contender.TitleOf(name))
	}
	writeBars(&b, records)
	writeBefore(&b, records)
	writeMetrics(&b, records)
	writeStarts(&b, records)
	writeCPU(&b, records)
	writeOthers(&b, records)
	return b.String()
}

func writeBars(b *strings.Builder, records []record) {
	var rows string
	for _, bar := range bars {
		rows += bar.row(records)
	}
	if rows != "" {
		fmt.Fprintf(b, "\n| bar | asked | measured | |\n|---|---|---|---|\n%s", rows)
	}
}

// tableLine is a metric of a workload in the table.
type tableLine struct {
	name string
	of   metric
}

// lines are what the table shows of a workload.
func lines(workload string) []tableLine {
	switch {
	case workload == "watch":
		return []tableLine{{"events/s", itemsPerSecond}, {"put to event, p50, ms", deliveryP50}}
	case workload == "watch-half":
		return []tableLine{{"puts/s", perSecond}, {"put to event, p50, ms", deliveryP50}, {"put to event, p99, ms", deliveryP99}}
	case workload == kubeWarm, workload == kubeCold:
		return []tableLine{
			{"servers' processor time, s", serverCPU}, {"update, p50, ms", p50}, {"update, p99, ms", p99},
			{"get, p50, ms", getP50}, {"get, p99, ms", getP99}, {"memory at its end, MiB", memory},
		}
	case workload == "memory":
		return []tableLine{{"before any load, MiB", memoryBefore}, {"after it, MiB", memory}}
	case workload == "puts-beside":
		return []tableLine{{"whole, s", took}, {"p50, ms", p50}, {"p99, ms", p99}}
	case strings.Contains(workload, "half"), workload == "update":
		return []tableLine{{"ops/s", perSecond}, {"p50, ms", p50}, {"p99, ms", p99}, {"p99.9, ms", p999}}
	case strings.Contains(workload, "100k"), strings.Contains(workload, "10k"):
		return []tableLine{{"whole/s", perSecond}, {"p50, ms", p50}}
	}
	return []tableLine{{"ops/s", perSecond}, {"p50, ms", p50}, {"p99, ms", p99}}
}

// taking are the contenders with results, in their order.
func taking(records []record) []string {
	return slices.DeleteFunc(contender.Names(), func(name string) bool {
		return !slices.ContainsFunc(records, func(r record) bool { return r.Contender == name })
	})
}

func writeMetrics(b *strings.Builder, records []record) {
	names := taking(records)
	if len(names) == 0 {
		return
	}
	head := append(append([]string{"workload", "median of the rounds"}, names...), "zkine1 : etcd1", "zkine3 : etcd3")
	fmt.Fprintf(b, "\n| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, p := range points {
		for _, l := range lines(p.workload) {
			cells := []string{p.label(), l.name}
			found := false
			for _, name := range names {
				v, ok := median(records, p.String(), name, l.of)
				found = found || ok
				cells = append(cells, cell(v, ok))
			}
			if found {
				three := "zkine3"
				if p.phase != "" {
					three = "zkines3"
				}
				cells = append(cells, ratio(records, p, "zkine1", "etcd1", l.of), ratio(records, p, three, "etcd3", l.of))
				fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
			}
		}
	}
}

// writeStarts shows how long processes take to serve.
func writeStarts(b *strings.Builder, records []record) {
	took := func(r record) float64 { return r.Result.Seconds * 1000 }
	names := []string{"zkine1", "etcd1"}
	if _, compared := median(records, startEmpty, beforeOf("zkine1"), took); compared {
		names = append(names, beforeOf("zkine1"))
	}
	var rows string
	for _, start := range []struct{ point, label string }{
		{startEmpty, "without data, zkine with its JVM"},
		{startFilled, fmt.Sprintf("with %d keys written one by one, zkine with its JVM", startKeys.keys)},
		{startJoin, "the same, a zkine on a ZooKeeper that runs"},
	} {
		cells, found := []string{start.label}, false
		for _, name := range names {
			v, ok := median(records, start.point, name, took)
			cells, found = append(cells, cell(v, ok)), found || ok
		}
		if found {
			rows += fmt.Sprintf("| %s |\n", strings.Join(cells, " | "))
		}
	}
	if rows != "" {
		fmt.Fprintf(b, "\n| process start to first linearizable read, ms | %s |\n|---|%s\n%s",
			strings.Join(names, " | "), strings.Repeat("---|", len(names)), rows)
	}
}

// label is the point's name for people.
func (p point) label() string {
	if p.phase != "" {
		return p.workload + ", " + p.phase
	}
	if p.watchers > 0 {
		return fmt.Sprintf("%s, %d watchers", p.workload, p.watchers)
	}
	if p.clients == 1 {
		return p.workload + ", 1 client"
	}
	return fmt.Sprintf("%s, %d clients", p.workload, p.clients)
}

func ratio(records []record, p point, zkine, etcd string, of metric) string {
	z, ok := median(records, p.String(), zkine, of)
	e, ok2 := median(records, p.String(), etcd, of)
	return cell(z/e, ok && ok2 && e != 0)
}

func cell(v float64, ok bool) string {
	if !ok {
		return ""
	}
	return number(v)
}

// number leaves three digits at least, and none behind a large number's point.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 10_000:
		return thousands(int64(math.Round(v)))
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func thousands(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// writeCPU shows what it cost: processor time of zkine with its ZooKeepers, of all etcds, and of the client.
func writeCPU(b *strings.Builder, records []record) {
	names := taking(records)
	if len(names) == 0 {
		return
	}
	head := append([]string{"µs of CPU an operation: all servers (client)"}, names...)
	fmt.Fprintf(b, "\n| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	client := func(r record) float64 { return r.Result.ClientCPU * 1e6 / float64(max(r.Result.Ops, 1)) }
	for _, p := range points {
		cells, found := []string{p.label()}, false
		for _, name := range names {
			v, ok := median(records, p.String(), name, cpuPerOp)
			text := ""
			if ok {
				c, _ := median(records, p.String(), name, client)
				text, found = number(v)+" ("+number(c)+")", true
			}
			cells = append(cells, text)
		}
		if found {
			fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
}

// writeOthers says how much the machine did besides, by turn.
func writeOthers(b *strings.Builder, records []record) {
	var cores []float64
	for _, r := range records {
		if r.Workload != "" && r.Result.Seconds > 0 {
			cores = append(cores, r.Result.OthersCPU/r.Result.Seconds)
		}
	}
	if len(cores) == 0 {
		return
	}
	slices.Sort(cores)
	fmt.Fprintf(b, "\nEverything else on the machine burned %s cores in the median of %d turns, %s in the worst of ten, %s at most.\n",
		number(cores[len(cores)/2]), len(cores), number(cores[len(cores)*9/10]), number(cores[len(cores)-1]))
}
