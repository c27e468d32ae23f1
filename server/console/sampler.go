package console

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// idleInterval is how often a sample is taken while no page is open, and liveInterval while one is. One takes some
	// milliseconds of a processor; docs/console.md has what was measured.
	idleInterval = 10 * time.Second
	liveInterval = time.Second
	// openFor is how long a page counts as open after it has asked.
	openFor = 15 * time.Second
	// mostSamples is how many are kept, at most: some 20 bytes for each of the lines.
	mostSamples = 720
	// keptFor is how long one is kept.
	keptFor = time.Hour
)

// sample is the value of each line at a time; NaN for none.
type sample struct {
	at     time.Time
	values []float64
}

// sampler keeps the last samples.
type sampler struct {
	gatherer prometheus.Gatherer
	// asked is when a page asked last, in nanoseconds.
	asked atomic.Int64

	mu     sync.Mutex
	ring   []sample // the oldest first
	before struct {
		at         time.Time
		counters   []float64
		histograms []counts
	}
}

func newSampler(g prometheus.Gatherer) *sampler { return &sampler{gatherer: g} }

// run takes samples until stopping is closed.
func (s *sampler) run(stopping <-chan struct{}) {
	ticker := time.NewTicker(liveInterval)
	defer ticker.Stop()
	var last time.Time
	for {
		now := time.Now()
		if now.Sub(last) >= idleInterval-liveInterval/2 || now.UnixNano()-s.asked.Load() < int64(openFor) {
			s.take(now)
			last = now
		}
		select {
		case <-ticker.C:
		case <-stopping:
			return
		}
	}
}

// take takes a sample. The first one has no rates.
func (s *sampler) take(now time.Time) {
	gathered, err := s.gatherer.Gather()
	if err != nil && len(gathered) == 0 {
		return
	}
	f := make(families, len(gathered))
	for _, family := range gathered {
		f[family.GetName()] = family
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	counters, histograms := make([]float64, len(lines)), make([]counts, len(lines))
	values := make([]float64, len(lines))
	since := func(i int, name string) counts {
		histograms[i] = f.histogram(name, lines[i].match)
		if s.before.histograms == nil {
			return histograms[i]
		}
		return histograms[i].since(s.before.histograms[i])
	}
	elapsed := now.Sub(s.before.at).Seconds()
	for i, line := range lines {
		switch {
		case line.quantile != 0:
			values[i] = since(i, line.histogram).quantile(line.quantile)
		case line.mean != "":
			values[i] = since(i, line.mean).mean()
		case line.rate:
			counters[i], values[i] = line.sum(f), math.NaN()
			if s.before.counters != nil && counters[i] >= s.before.counters[i] {
				values[i] = (counters[i] - s.before.counters[i]) / elapsed
			}
		default:
			values[i] = line.sum(f)
		}
	}
	s.before.at, s.before.counters, s.before.histograms = now, counters, histograms
	s.ring = append(s.ring, sample{now, values})
	drop := 0
	for drop < len(s.ring)-1 && (len(s.ring)-drop > mostSamples || now.Sub(s.ring[drop].at) > keptFor) {
		drop++
	}
	s.ring = s.ring[drop:]
}

// number is a value as JSON has it: null for none.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', 6, 64), nil
}

// samplesAnswer is what the plots show: a time for each sample, in milliseconds since 1970, and for each line its values.
type samplesAnswer struct {
	Lines  []series   `json:"lines"`
	Times  []int64    `json:"times"`
	Values [][]number `json:"values"`
}

// samples are those since a time: ?since=, in milliseconds. To ask has them taken more often.
func (c *Console) samples(r *http.Request, _ *caller) (any, error) {
	since, _ := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64)
	s := c.sampler
	s.asked.Store(time.Now().UnixNano())
	s.mu.Lock()
	defer s.mu.Unlock()
	a := samplesAnswer{Lines: lines, Times: []int64{}, Values: make([][]number, len(lines))}
	for i := range a.Values {
		a.Values[i] = []number{}
	}
	for _, one := range s.ring {
		if one.at.UnixMilli() <= since {
			continue
		}
		a.Times = append(a.Times, one.at.UnixMilli())
		for i, v := range one.values {
			a.Values[i] = append(a.Values[i], number(v))
		}
	}
	return a, nil
}
