package load

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

var residentSize = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB`)

// Resident is the memory that the processes hold now, in bytes. What several of them share counts for each.
func Resident(pids []int) (total int64, err error) {
	for _, pid := range pids {
		path := fmt.Sprintf("/proc/%d/status", pid)
		status, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		match := residentSize.FindSubmatch(status)
		if match == nil {
			return 0, fmt.Errorf("%s has no VmRSS: the process has ended", path)
		}
		kib, err := strconv.ParseInt(string(match[1]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		total += kib << 10
	}
	return total, nil
}
