package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// ticks is the unit of /proc/<pid>/stat, the same on every Linux that Go runs on.
const ticks = 100

// CPU is the processor time that the processes have burned so far, in seconds.
func CPU(pids []int) (total float64, err error) {
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// The second field is a name in parentheses, which may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		for _, field := range fields[11:13] { // utime, stime
			n, err := strconv.ParseInt(string(field), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
			}
			total += float64(n) / ticks
		}
	}
	return total, nil
}

// wholeCPU is what the machine has burned since it started, and what was stolen from it, in seconds.
func wholeCPU() (float64, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var total float64
	for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		if i != 3 && i != 4 {
			total += float64(n) / ticks
		}
	}
	return total, nil
}

// ownCPU is this process's.
func ownCPU() (float64, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return seconds(usage.Utime) + seconds(usage.Stime), err
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
