package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/zkine/zkine/conformance/bench/contender"
)

// beforeOf is the contender that a zkine is compared with if -before names a program: the same on as many ZooKeepers.
func beforeOf(zkine string) string { return strings.Replace(zkine, "zkine", "before", 1) }

// startAgain starts the zkines again that take a point, if two builds are compared. Two processes of the same program
// differ for as long as they run, by how their memory happens to lie, so that each round has new ones.
func (b *bench) startAgain(ctx context.Context, on []*contender.Contender) error {
	if b.before == "" {
		return nil
	}
	for _, c := range on {
		if err := c.StartAgain(ctx); err != nil {
			return fmt.Errorf("start %s again: %w", c.Name, err)
		}
	}
	return nil
}

// writeBefore shows what two zkines of the same run did, and the ratio of the newer one to the one before: of the
// medians, and from the smallest to the largest of a round.
func writeBefore(b *strings.Builder, records []record) {
	var rows string
	for _, zkine := range []string{"zkine1", "zkine3", "zkine-own"} {
		for _, p := range points {
			for _, l := range append(lines(p.workload), tableLine{"µs of servers' CPU an operation", cpuPerOp}) {
				rows += beforeRow(records, p, zkine, l)
			}
		}
	}
	if rows != "" {
		fmt.Fprintf(b, "\n| workload | median of the rounds | on | before | now | now : before | of single rounds |\n|---|---|---|---|---|---|---|\n%s", rows)
	}
}

// beforeRow is a metric's line, "" if not both were measured.
func beforeRow(records []record, p point, zkine string, l tableLine) string {
	now, ok := median(records, p.String(), zkine, l.of)
	before, ok2 := median(records, p.String(), beforeOf(zkine), l.of)
	if !ok || !ok2 || before == 0 {
		return ""
	}
	ratios := roundRatios(records, p.String(), zkine, l.of)
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %.3f | %.3f to %.3f |\n", p.label(), l.name, zkine,
		number(before), number(now), now/before, slices.Min(ratios), slices.Max(ratios))
}

// roundRatios are a metric's ratios to the zkine before, by round. Of a round that several runs took, all are paired in
// their order.
func roundRatios(records []record, point, zkine string, of metric) (ratios []float64) {
	values := func(contender string) (all []float64) {
		for _, r := range records {
			if r.Point == point && r.Contender == contender {
				all = append(all, of(r))
			}
		}
		return all
	}
	now, before := values(zkine), values(beforeOf(zkine))
	for i := range min(len(now), len(before)) {
		ratios = append(ratios, now[i]/before[i])
	}
	return ratios
}
