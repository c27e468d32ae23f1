package archive

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what is counted; a nil one counts nothing.
type metrics struct {
	objects, bytes, failures, holes, trims prometheus.Counter
}

func newMetrics(r prometheus.Registerer, lag func() float64) *metrics {
	if r == nil {
		return nil
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "zkine_archive_lag_seconds", Help: "For how long writes may have been acknowledged without being in the archive, at most; 0 on a member that does not archive.",
	}, lag))
	return &metrics{
		objects:  counter("zkine_archive_objects_total", "Objects that were written to the archive."),
		bytes:    counter("zkine_archive_bytes_total", "Bytes that were written to the archive."),
		failures: counter("zkine_archive_failures_total", "Rounds of archiving that have failed; each is tried again."),
		holes:    counter("zkine_archive_holes_total", "Parts of the log that were gone before they were archived."),
		trims:    counter("zkine_archive_trims_forced_total", "How often the log was trimmed though it was not archived, after the longest wait."),
	}
}

func (m *metrics) put(bytes int) {
	if m != nil {
		m.objects.Inc()
		m.bytes.Add(float64(bytes))
	}
}

func (m *metrics) round(ctx context.Context, r Report, err error) {
	if m == nil {
		return
	}
	if r.Hole != nil {
		m.holes.Inc()
	}
	if err != nil && ctx.Err() == nil {
		m.failures.Inc()
	}
}

func (m *metrics) forced() {
	if m != nil {
		m.trims.Inc()
	}
}
