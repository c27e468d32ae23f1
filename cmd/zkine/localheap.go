package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/embedded"
)

// ZooKeeper holds everything in its heap. So the heap of the local ZooKeeper
// bounds what the root may hold, and both follow from the memory of the machine
// or the container. What an operator chose is kept, but for a quota that the heap
// cannot hold: NOSPACE can be repaired through the API, a JVM without memory
// cannot.

const (
	// leastQuota is in bytes. A zkine with less is of no use.
	leastQuota = 4 << 20
	// unknownMemory, in bytes, counts where the memory's size cannot be read.
	unknownMemory = 4 << 30
)

// machineMemory is how many bytes this process may use: those of the machine,
// or less if it is in a container or unit with a limit.
func machineMemory() int64 {
	least := int64(math.MaxInt64)
	for _, read := range []memlimit.Provider{memlimit.FromCgroup, memlimit.FromSystem} {
		if n, err := read(); err == nil && n > 0 && n < uint64(least) {
			least = int64(n)
		}
	}
	if least == math.MaxInt64 {
		return unknownMemory
	}
	return least
}

// largestHeap is what the heap may be raised to: the rest is the JVM's own.
func largestHeap(memory int64) int64 { return memory / 8 * 7 }

// localPlan is how a local ZooKeeper is run, and how much it may hold.
type localPlan struct {
	heap, maxHeap int64 // bytes
	maxRequest    int   // bytes
	quota         int64 // bytes
	warnings      []string
}

// planLocal decides from the operator's choice, the machine's memory and the bytes
// in the data folder, both in bytes.
func planLocal(c config, memory, onDisk int64) localPlan {
	p := localPlan{heap: int64(c.localHeap), maxHeap: largestHeap(memory), quota: c.quotaBytes}
	if !c.chosen.quota {
		p.quota = backend.DefaultQuotaBytes
	}
	request := func(heap int64) int {
		if c.chosen.request {
			return c.maxRequest
		}
		return min(c.maxRequest, max(embedded.RequestFor(heap), minZooKeeperRequest))
	}
	if p.heap == 0 {
		p.heap = defaultHeap(c, memory, onDisk)
	}
	p.maxRequest = request(p.heap)
	fits := embedded.Capacity(p.heap, p.maxRequest)
	if c.chosen.quota && (p.quota < 0 || p.quota > fits) {
		p.warnings = append(p.warnings, fmt.Sprintf(
			"--quota-backend-bytes=%d is more than the local ZooKeeper's heap of %s can hold; %d bytes count instead; raise --local-zookeeper-heap or give the machine more memory",
			c.quotaBytes, bytesize.Text(p.heap), fits))
	}
	if p.quota < 0 || p.quota > fits {
		p.quota = fits
	}
	// The data in the folder has to be loaded, also against the operator's choice.
	if embedded.HeapFor(onDisk/2, p.maxRequest) > p.heap {
		need := max(p.heap, min(embedded.HeapFor(onDisk, p.maxRequest), p.maxHeap))
		p.warnings = append(p.warnings, fmt.Sprintf(
			"%s holds %s, too much for a heap of %s: the local ZooKeeper gets %s this time; compact, defragment, or raise --local-zookeeper-heap",
			c.dataDir, bytesize.Text(onDisk), bytesize.Text(p.heap), bytesize.Text(need)))
		p.heap = need
	}
	p.maxHeap = max(p.maxHeap, p.heap)
	return p
}

// defaultHeap is a quarter of the memory; up to a half if a quota that was
// chosen needs it, or the data that is there; and no more than the default
// quota needs.
func defaultHeap(c config, memory, onDisk int64) int64 {
	heapFor := embedded.HeapWithRequestsFor
	if c.chosen.request {
		heapFor = embedded.HeapFor
	}
	heap := min(memory/4, heapFor(backend.DefaultQuotaBytes, c.maxRequest))
	wanted := onDisk
	if c.chosen.quota {
		wanted = max(wanted, c.quotaBytes)
	}
	if wanted > 0 {
		heap = max(heap, min(memory/2, heapFor(wanted, c.maxRequest)))
	}
	return max(heap, leastHeap)
}

// leastHeap is the smallest that zkine chooses by itself.
const leastHeap = 256 << 20

// sizeLocal fits c to the local ZooKeeper that will run, and says so.
func sizeLocal(c config, log *logrus.Entry) (config, localPlan) {
	memory := machineMemory()
	p := planLocal(c, memory, embedded.DataOnDisk(c.dataDir))
	for _, w := range p.warnings {
		log.Warn(w)
	}
	log.Infof("the local ZooKeeper may use %s of the %s of memory for its heap, and hold %s: see --local-zookeeper-heap and --quota-backend-bytes",
		bytesize.Text(p.heap), bytesize.Text(memory), bytesize.Text(p.quota))
	c.maxRequest, c.quotaBytes = p.maxRequest, p.quota
	return c, p
}

// byteSize is a flag's number of bytes, such as 536870912, 512m or 1.5GiB.
type byteSize int64

var byteUnits = map[string]float64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

// Set implements pflag.Value. k, kb and KiB are all 1024, as for java.
func (b *byteSize) Set(text string) error {
	number := strings.TrimRight(text, "KkMmGgTtIiBb ")
	unit := strings.ToLower(strings.TrimSpace(text[len(number):]))
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	factor, known := byteUnits[unit]
	if err != nil || !known || !(n >= 0) || n*factor >= math.MaxInt64 {
		return fmt.Errorf("%q is not a number of bytes", text)
	}
	*b = byteSize(n * factor)
	return nil
}

func (b *byteSize) String() string {
	if *b == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "bytes" }
