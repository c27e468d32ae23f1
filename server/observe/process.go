package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Process tells what the process takes. Prometheus' client knows how to find out on each
// system.
type Process struct {
	began    time.Time
	registry *prometheus.Registry
}

// NewProcess is of the process that runs, from now on.
func NewProcess() *Process {
	p := &Process{time.Now(), prometheus.NewRegistry()}
	p.registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return p
}

// Fill writes what the process takes into m. What is not known stays 0.
func (p *Process) Fill(m *Member) {
	m.UptimeSeconds = time.Since(p.began).Seconds()
	families, err := p.registry.Gather()
	if err != nil {
		return
	}
	for _, f := range families {
		switch f.GetName() {
		case "process_resident_memory_bytes":
			m.ResidentBytes = int64(f.GetMetric()[0].GetGauge().GetValue())
		case "process_cpu_seconds_total":
			m.CPUSeconds = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
}
