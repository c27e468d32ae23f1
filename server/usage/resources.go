package usage

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxResources bounds how many resources Prometheus' counters name.
	maxResources = 200
	// otherResource is what the others count as, and keys that are none of Kubernetes'.
	otherResource = "other"
)

// resources are those that Prometheus' counters name.
type resources struct {
	mu    sync.Mutex
	named map[string]*resource
}

// resource is one of Kubernetes', or otherResource.
type resource struct{ name string }

func newResources() *resources {
	return &resources{named: map[string]*resource{otherResource: {otherResource}}}
}

// of is the resource of a name, or otherResource.
func (r *resources) of(name string) *resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch of := r.named[name]; {
	case of != nil:
		return of
	case name == "" || len(r.named) > maxResources:
		return r.named[otherResource]
	}
	of := &resource{name}
	r.named[name] = of
	return of
}

func resourceDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("zkine_resource_"+name, help, append([]string{"resource"}, labels...), nil)
}

var (
	descRequests = resourceDesc("requests_total", "Operations on Kubernetes' resources by kind: write (puts and deletes), read (ranges), error (failed calls). "+
		`Of those in transactions the ones that were executed. "other" is for all else.`, "kind")
	descWritten  = resourceDesc("written_bytes_total", "Bytes of keys and values put, by Kubernetes' resource.")
	descRead     = resourceDesc("read_bytes_total", "Bytes of keys and values answered to reads, by Kubernetes' resource.")
	descEvents   = resourceDesc("events_total", "Events sent to watchers, by Kubernetes' resource: one for each watcher.")
	descWatched  = resourceDesc("watched_bytes_total", "Bytes of keys and values in events sent to watchers, by Kubernetes' resource.")
	descWatchers = resourceDesc("watchers", "Watchers on this member, by Kubernetes' resource.")
)

// Describe implements prometheus.Collector.
func (r *Recorder) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRequests, descWritten, descRead, descEvents, descWatched, descWatchers} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (r *Recorder) Collect(ch chan<- prometheus.Metric) {
	r.collect()
	for of, sum := range r.byResource() {
		count := func(d *prometheus.Desc, n int64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{of.name}, labels...)...)
		}
		count(descRequests, sum.Writes, "write")
		count(descRequests, sum.Reads, "read")
		count(descRequests, sum.Errors, "error")
		count(descWritten, sum.BytesWritten)
		count(descRead, sum.BytesRead)
		count(descEvents, sum.Events)
		count(descWatched, sum.BytesWatched)
		ch <- prometheus.MustNewConstMetric(descWatchers, prometheus.GaugeValue, float64(sum.watchers), of.name)
	}
}

// byResource are the sums of all that was counted.
func (r *Recorder) byResource() map[*resource]*sums {
	by := make(map[*resource]*sums)
	add := func(of *resource, c *Totals, watchers int64) {
		if by[of] == nil {
			by[of] = new(sums)
		}
		by[of].add(c)
		by[of].watchers += watchers
	}
	r.prefixes.each(
		func(e *thing[*prefixLabel]) { add(e.label.resource, &e.total, e.watchers) },
		func(of *resource, s *sums) { add(of, &s.Totals, s.watchers) })
	return by
}
