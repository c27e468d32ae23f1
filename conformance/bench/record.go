package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/zkine/zkine/conformance/bench/load"
)

// record is a turn, or, with Machine alone, what a run was taken on. A file of results is one record a line.
type record struct {
	Machine   string `json:",omitempty"`
	Point     string `json:",omitempty"`
	Workload  string `json:",omitempty"`
	Clients   int    `json:",omitempty"`
	Watchers  int    `json:",omitempty"`
	Contender string `json:",omitempty"`
	Round     int    `json:",omitempty"`
	// Rate is of the schedule, operations a second; 0 means flat out.
	Rate   float64     `json:",omitempty"`
	Result load.Result `json:",omitzero"`
}

// journal keeps records as they come.
type journal struct {
	records []record
	file    *os.File // nil: they are only kept in memory
}

func openJournal(path string) (*journal, error) {
	if path == "" {
		return &journal{}, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	return &journal{file: f}, err
}

func (j *journal) add(r record) error {
	j.records = append(j.records, r)
	if j.file == nil {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = j.file.Write(append(line, '\n'))
	return err
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

// readAll reads what journals wrote.
func readAll(paths []string) ([]record, error) {
	var all []record
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			var r record
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			all = append(all, r)
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
}

// metric picks a number out of a turn.
type metric func(record) float64

// median is a metric's over all rounds of a point on a contender, and false if there are none.
func median(records []record, point, contender string, m metric) (float64, bool) {
	var values []float64
	for _, r := range records {
		if r.Point == point && r.Contender == contender {
			values = append(values, m(r))
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2, true
	}
	return values[middle], true
}

// The metrics.
func perSecond(r record) float64      { return float64(r.Result.Ops) / r.Result.Seconds }
func itemsPerSecond(r record) float64 { return float64(r.Result.Items) / r.Result.Seconds }
func p50(r record) float64            { return r.Result.Latency.P50 }
func p99(r record) float64            { return r.Result.Latency.P99 }
func p999(r record) float64           { return r.Result.Latency.P999 }
func deliveryP50(r record) float64    { return r.Result.Delivery.P50 }
func deliveryP99(r record) float64    { return r.Result.Delivery.P99 }

func getP50(r record) float64       { return r.Result.Reads.P50 }
func getP99(r record) float64       { return r.Result.Reads.P99 }
func serverCPU(r record) float64    { return r.Result.ServerCPU }
func took(r record) float64         { return r.Result.Seconds }
func memory(r record) float64       { return float64(r.Result.Memory) / (1 << 20) }
func memoryBefore(r record) float64 { return float64(r.Result.MemoryBefore) / (1 << 20) }

// cpuPerOp is the servers' processor time in microseconds.
func cpuPerOp(r record) float64 { return r.Result.ServerCPU * 1e6 / float64(max(r.Result.Ops, 1)) }
