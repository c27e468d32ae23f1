package lessor

import (
	"math"
	"time"

	"github.com/zkine/zkine/backend/state"
)

// deadline is when a lease ends, in service time.
type deadline struct {
	id      int64
	ttl     time.Duration
	renewed uint64
	at      time.Duration
	noted   time.Duration // service time of the last note of what remains
	index   int           // in the heap
}

// deadlines is a heap, the earliest first.
type deadlines []*deadline

func (h deadlines) Len() int           { return len(h) }
func (h deadlines) Less(i, j int) bool { return h[i].at < h[j].at }
func (h deadlines) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *deadlines) Push(x any) {
	d := x.(*deadline)
	d.index = len(*h)
	*h = append(*h, d)
}
func (h *deadlines) Pop() any {
	old := *h
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return d
}

// seconds turns a TTL into a duration. The longest that may be granted, etcd's
// 9e9 s or 285 years, fits with 7 years to spare; what cannot be granted, but may
// be in the log, counts as that.
func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), state.MaxLeaseTTL)) * time.Second
}

// never is the latest moment of the service clock: sums with it of what is short
// stay clear of the overflow.
const never = math.MaxInt64 - 24*time.Hour

// after is a TTL after a moment, or never.
func after(now, ttl time.Duration) time.Duration {
	if ttl > never-now {
		return never
	}
	return now + ttl
}
