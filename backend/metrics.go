package backend

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the backend's own; what follows from Status is the server's.
type metrics struct {
	batch    prometheus.Histogram
	duration prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "zkine_append_batch_requests", Help: "Requests in one append to the log.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 13),
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "zkine_append_duration_seconds", Help: "Time from sending a batch to ZooKeeper to its place in the log.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
	}
	if r != nil {
		r.MustRegister(m.batch, m.duration)
	}
	return m
}

func (m *metrics) append(requests int, took time.Duration) {
	m.batch.Observe(float64(requests))
	m.duration.Observe(took.Seconds())
}
