package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/bytesize"
)

// How much memory zkine takes follows from what the root holds. What is packed and
// compressed in ZooKeeper is up to four times as large in memory, raw, and costs 0.9
// to 1.7 times that: docs/scale.md has the measurements.
const (
	rawShare           = 4
	leastCost, topCost = 90, 170 // percent
)

const (
	// limitShare, in percent of what is left to zkine in a container or unit, is Go's
	// limit: the rest is for what Go does not count, such as stacks in the kernel.
	limitShare = 90
	// jvmOverhead, in bytes, is what a JVM takes besides its heap.
	jvmOverhead = 160 << 20
	// leastLimit, in bytes, is the least that is left to zkine beside a local
	// ZooKeeper. A lower one would only keep the collector busy.
	leastLimit = 96 << 20
)

// limitMemory has Go collect harder as zkine comes near the limit of its container or
// unit, which Go does not see. heap is that of the local ZooKeeper, in bytes, which
// lives there, too; 0 for none. GOMEMLIMIT in the environment replaces it.
func limitMemory(heap int64, log *logrus.Entry) {
	limit, err := memlimit.FromCgroup()
	if err != nil || limit == 0 || int64(limit) < 0 || int64(limit) > machineMemory() || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	own := goLimit(int64(limit), heap)
	debug.SetMemoryLimit(own)
	log.Infof("memory is limited to %s here: zkine keeps to %s of it as far as it can", bytesize.Text(int64(limit)), bytesize.Text(own))
}

// goLimit is the limit for Go in a container, all in bytes.
func goLimit(limit, heap int64) int64 {
	if heap > 0 {
		limit = max(limit-heap-jvmOverhead, 0)
	}
	return max(limit/100*limitShare, leastLimit)
}

// memoryLine says what a root takes that has come to its quota, and whether that is
// there. enough is false if it is not.
func memoryLine(quota, memory int64) (line string, enough bool) {
	if quota <= 0 {
		return fmt.Sprintf("there is no quota: zkine takes %.1f to %.1f times what the root holds of ordinary objects, and there are %s of memory",
			rawShare*leastCost/100., rawShare*topCost/100., bytesize.Text(memory)), true
	}
	least, most := quota*rawShare/100*leastCost, quota*rawShare/100*topCost
	line = fmt.Sprintf("a root that has come to its quota of %s, with ordinary objects, takes %s to %s of memory in each zkine; there are %s",
		bytesize.Text(quota), bytesize.Text(least), bytesize.Text(most), bytesize.Text(memory))
	if least <= memory {
		return line, true
	}
	fits := memory / rawShare * 100 / topCost
	return line + fmt.Sprintf(", enough for %s of the quota: lower --quota-backend-bytes, or give zkine more", bytesize.AtMost(fits)), false
}

// sayMemory logs memoryLine, as a warning if the operator chose a quota for which
// there is not enough.
func (i *instance) sayMemory() {
	quota := i.cfg.quotaBytes
	if quota == 0 {
		quota = backend.DefaultQuotaBytes
	}
	line, enough := memoryLine(quota, machineMemory()-i.heap)
	if !enough && i.cfg.chosen.quota {
		i.log.Warn(line)
		return
	}
	i.log.Info(line)
}
