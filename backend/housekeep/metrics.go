package housekeep

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkine/zkine/revision"
)

// task is a kind of work, as the metrics name it.
type task string

const (
	taskCheckpoint task = "checkpoint"
	taskTrim       task = "trim" // of the log, and packing what is left of it
	taskMeasure    task = "measure"
	taskDefragment task = "defragment"
	taskCompact    task = "compact" // by the keeper itself
	taskDigest     task = "digest"
)

var tasks = []task{taskCheckpoint, taskTrim, taskMeasure, taskDefragment, taskCompact, taskDigest}

// metrics count what was done. Any goroutine may tell them.
type metrics struct {
	runs, failures *prometheus.CounterVec
	success        *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	labels := []string{"task"}
	m := &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "zkine_housekeeping_runs_total", Help: "Housekeeping that this member has done or tried to do, by task.",
		}, labels),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "zkine_housekeeping_failures_total", Help: "Housekeeping that has failed; it is tried again.",
		}, labels),
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "zkine_housekeeping_last_success_timestamp_seconds", Help: "When a task succeeded last on this member, in Unix time; 0 for not since it started.",
		}, labels),
	}
	for _, t := range tasks {
		m.runs.WithLabelValues(string(t))
		m.failures.WithLabelValues(string(t))
		m.success.WithLabelValues(string(t))
	}
	if r != nil {
		r.MustRegister(m.runs, m.failures, m.success)
	}
	return m
}

// ran counts a task that has ended, unless it ended with the Housekeeper. What another
// member has done already is done.
func (h *Housekeeper) ran(t task, err error) {
	if h.ctx.Err() != nil {
		return
	}
	m := h.metrics
	m.runs.WithLabelValues(string(t)).Inc()
	if err != nil && !errors.Is(err, revision.ErrNotNeeded) {
		m.failures.WithLabelValues(string(t)).Inc()
		return
	}
	m.success.WithLabelValues(string(t)).Set(float64(time.Now().UnixMilli()) / 1000)
}
