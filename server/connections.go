package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkine/zkine/server/listener"
)

// connections are the bounds of all sockets. They are two: whatever clients do on
// their URLs leaves the metrics URLs, which probes ask, room of their own.
type connections struct {
	clients, metrics *listener.Connections
}

func newConnections(cfg Config) (*connections, error) {
	most := cfg.MaxConnections
	if most == 0 {
		var err error
		if most, err = listener.ClientConnections(); err != nil {
			return nil, err
		}
	}
	return &connections{
		clients: listener.NewConnections(most, "clients", cfg.Log),
		metrics: listener.NewConnections(listener.MetricsConnections, "metrics", cfg.Log),
	}, nil
}

var (
	descConnections = prometheus.NewDesc("zkine_connections", "Open connections, on the client or the metrics URLs.", []string{"urls"}, nil)
	descMost        = prometheus.NewDesc("zkine_connections_max", "Connections that there may be at once.", []string{"urls"}, nil)
	descEnded       = prometheus.NewDesc("zkine_connections_ended_total", "Connections that zkine has ended: refused for want of room, evicted for new ones, silent without a call.", []string{"urls", "reason"}, nil)
)

// Describe implements prometheus.Collector.
func (c *connections) Describe(ch chan<- *prometheus.Desc) {
	ch <- descConnections
	ch <- descMost
	ch <- descEnded
}

// Collect implements prometheus.Collector.
func (c *connections) Collect(ch chan<- prometheus.Metric) {
	for urls, of := range map[string]*listener.Connections{"clients": c.clients, "metrics": c.metrics} {
		open, ended := of.Counts()
		ch <- prometheus.MustNewConstMetric(descConnections, prometheus.GaugeValue, float64(open), urls)
		ch <- prometheus.MustNewConstMetric(descMost, prometheus.GaugeValue, float64(of.Most()), urls)
		for reason, n := range map[string]uint64{"refused": ended.Refused, "evicted": ended.Evicted, "silent": ended.Silent} {
			ch <- prometheus.MustNewConstMetric(descEnded, prometheus.CounterValue, float64(n), urls, reason)
		}
	}
}
