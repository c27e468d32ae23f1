package monitoring

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Target is a server that is scraped.
type Target struct {
	// Job and Instance are the labels that Prometheus gives its series.
	Job, Instance string
	// Address is where its metrics are, host:port.
	Address string
}

// Recorder holds one scrape after the other, as a Prometheus would have them that scrapes once a minute.
type Recorder struct {
	targets []Target
	began   time.Time
	minutes int
	// values are by series, with the labels of the target; shorter than minutes where a series has begun or ended.
	values map[string][]string
	shown  map[string]bool // in the last scrape
}

// NewRecorder returns one without scrapes.
func NewRecorder(targets ...Target) *Recorder {
	return &Recorder{targets: targets, began: time.Now(), values: map[string][]string{}, shown: map[string]bool{}}
}

// scrapeTimeout is Prometheus' default.
const scrapeTimeout = 10 * time.Second

// Now is the last minute that was recorded, from 0.
func (r *Recorder) Now() int { return r.minutes - 1 }

// Scrape records a minute. A target that does not answer is down in it.
func (r *Recorder) Scrape(ctx context.Context) {
	shown := map[string]bool{}
	note := func(series, value string) {
		old := r.values[series]
		for len(old) < r.minutes {
			old = append(old, "_")
		}
		r.values[series] = append(old, value)
		shown[series] = true
	}
	for _, t := range r.targets {
		own := fmt.Sprintf("job=%q,instance=%q", t.Job, t.Instance)
		ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
		scrape, err := Get(ctx, t.Address)
		cancel()
		if err != nil {
			note("up{"+own+"}", "0")
			continue
		}
		note("up{"+own+"}", "1")
		for series, value := range scrape.Samples {
			name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
			if strings.HasPrefix(name, "go_") || math.IsNaN(value) {
				continue
			}
			if strings.HasSuffix(name, "_timestamp_seconds") && value > 0 {
				value -= float64(r.began.Unix())
			}
			if labels != "" {
				labels += ","
			}
			note(name+"{"+labels+own+"}", strconv.FormatFloat(value, 'f', -1, 64))
		}
	}
	for series := range r.shown {
		if !shown[series] { // as Prometheus marks a series that has ended
			r.values[series] = append(r.values[series], "stale")
		}
	}
	r.shown = shown
	r.minutes++
}

// input is all series in promtool's words.
func (r *Recorder) input() []map[string]string {
	var all []map[string]string
	for series, values := range r.values {
		all = append(all, map[string]string{"series": series, "values": strings.Join(values, " ")})
	}
	slices.SortFunc(all, func(a, b map[string]string) int { return strings.Compare(a["series"], b["series"]) })
	return all
}
