package metrics

import "github.com/prometheus/client_golang/prometheus"

// renamed shows a metric without labels under further names, at no cost but that of a
// scrape.
type renamed struct {
	metric prometheus.Metric
	names  []*prometheus.Desc
}

// Describe implements prometheus.Collector.
func (r renamed) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range r.names {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (r renamed) Collect(ch chan<- prometheus.Metric) {
	for _, d := range r.names {
		ch <- namedMetric{r.metric, d}
	}
}

// namedMetric is a metric under another name.
type namedMetric struct {
	prometheus.Metric
	desc *prometheus.Desc
}

// Desc implements prometheus.Metric.
func (m namedMetric) Desc() *prometheus.Desc { return m.desc }
