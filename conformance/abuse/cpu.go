package main

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"github.com/zkine/zkine/conformance/bench/load"
)

// othersCPU begins to look at the processors. What it returns says, given the seconds that the load has computed, how
// many cores something else than the server, the load and this process used since: numbers that were taken beside much
// of that say little. ZooKeeper is counted as something else.
func othersCPU(server int) func(loaded float64) float64 {
	began, whole, own := time.Now(), wholeCPU(), ownCPU(server)
	return func(loaded float64) float64 {
		return (wholeCPU() - whole - (ownCPU(server) - own) - loaded) / time.Since(began).Seconds()
	}
}

// ownCPU is this process's and the server's, in seconds; one that has ended counts nothing.
func ownCPU(server int) float64 {
	total, err := load.CPU([]int{os.Getpid(), server})
	if err != nil {
		return 0
	}
	return total
}

// wholeCPU is what the machine has computed since it started, in seconds; 0 where that is not known.
func wholeCPU() float64 {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	var total float64
	for i, field := range bytes.Fields(line) { // cpu user nice system idle iowait irq softirq steal
		n, err := strconv.ParseFloat(string(field), 64)
		if err == nil && i != 4 && i != 5 && i < 9 {
			total += n / ticks
		}
	}
	return total
}

// ticks is the unit of /proc/stat, the same on every Linux that Go runs on.
const ticks = 100
