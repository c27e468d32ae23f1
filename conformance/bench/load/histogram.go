package load

import (
	"math/bits"
	"time"
)

const (
	// perDoubling is how many buckets lie between a latency and its double: a value is known to 3 percent.
	perDoubling = 32
	doublings   = 32 // of microseconds: more than an hour
)

// histogram counts latencies in buckets that widen with them. The zero value is empty.
type histogram struct {
	counts [doublings * perDoubling]uint32
	total  int64
	max    time.Duration
}

// bucket i below perDoubling holds i microseconds; after that each doubling has perDoubling/2 buckets.
func bucket(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < perDoubling {
		return int(us)
	}
	shift := bits.Len64(us) - bits.Len64(perDoubling-1)
	return min(shift*perDoubling/2+int(us>>shift), doublings*perDoubling-1)
}

// lowest is the least latency in a bucket.
func lowest(bucket int) time.Duration {
	if bucket < perDoubling {
		return time.Duration(bucket) * time.Microsecond
	}
	shift := (bucket - perDoubling/2) / (perDoubling / 2)
	return time.Duration(uint64(bucket-shift*perDoubling/2)<<shift) * time.Microsecond
}

func (h *histogram) record(d time.Duration) {
	h.counts[bucket(d)]++
	h.total++
	h.max = max(h.max, d)
}

func (h *histogram) add(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// percentile is the middle of the bucket that holds it, but never above the largest value.
func (h *histogram) percentile(p float64) time.Duration {
	rank, seen := int64(float64(h.total)*p/100), int64(0)
	for i, n := range h.counts {
		if seen += int64(n); seen > rank {
			return min((lowest(i)+lowest(i+1))/2, h.max)
		}
	}
	return h.max
}

// Summary is some latencies in short, in milliseconds.
type Summary struct {
	Count               int64
	P50, P90, P99, P999 float64
	Max                 float64
}

func (h *histogram) summary() Summary {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return Summary{
		Count: h.total, P50: ms(h.percentile(50)), P90: ms(h.percentile(90)),
		P99: ms(h.percentile(99)), P999: ms(h.percentile(99.9)), Max: ms(h.max),
	}
}

// Summarize is a summary of single latencies.
func Summarize(times []time.Duration) Summary {
	var h histogram
	for _, t := range times {
		h.record(t)
	}
	return h.summary()
}
