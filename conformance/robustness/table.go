package robustness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// ReadImpacts reads what appendImpacts wrote.
func ReadImpacts(file string) (impacts []Impact, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line Impact
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		impacts = append(impacts, line)
	}
	return impacts, nil
}

// Table is what faults cost, as Markdown: medians, and the worst in brackets, in
// seconds; faults in the order of Matrix.
func Table(impacts []Impact) string {
	var b strings.Builder
	b.WriteString("| fault | times | hit zkines | other zkines | ZooKeeper without a leader | after ZooKeeper served again | until all were ready |\n|---|---|---|---|---|---|---|\n")
	for _, f := range Matrix {
		var columns [5][]int64
		times := 0
		for _, line := range impacts {
			if line.Fault != f.Name {
				continue
			}
			times++
			for i, ms := range []int64{line.Hit, line.Others, line.Election, line.Late, line.Lasted} {
				if ms >= 0 {
					columns[i] = append(columns[i], ms)
				}
			}
		}
		if times == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s | %d |", f.Name, times)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", inSeconds(c))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func inSeconds(ms []int64) string {
	if len(ms) == 0 {
		return ""
	}
	slices.Sort(ms)
	return fmt.Sprintf("%.2f (%.2f)", float64(ms[len(ms)/2])/1000, float64(ms[len(ms)-1])/1000)
}
