package server

import (
	"regexp"
	"strconv"
	"sync"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those that the server counts itself. Where etcd has a metric of
// the same meaning the name is etcd's, so that its dashboards and alerts work.
type metrics struct {
	calls        *grpcprom.ServerMetrics
	clients      *prometheus.CounterVec
	watchers     prometheus.Gauge
	watchStreams prometheus.Gauge
	checks       *prometheus.GaugeVec
	checksTotal  *prometheus.CounterVec
	healthGood   prometheus.Counter
	healthBad    prometheus.Counter
	memberID     *prometheus.GaugeVec
	traffic      *traffic

	mu sync.Mutex
	// versions are those of clients that are shown by name.
	versions map[string]bool
	counters map[clientKind]prometheus.Counter
}

// newMetrics registers everything that /metrics shows of the server.
func newMetrics(cfg Config, s *Server) (*metrics, error) {
	m := &metrics{
		calls: grpcprom.NewServerMetrics(),
		clients: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "etcd_server_client_requests_total", Help: "Calls by kind and the API version of the client.",
		}, []string{"type", "client_api_version"}),
		watchers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "etcd_debugging_mvcc_watcher_total", Help: "Watchers on this member.",
		}),
		watchStreams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "etcd_debugging_mvcc_watch_stream_total", Help: "Watch streams on this member.",
		}),
		checks: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "etcd_server_healthcheck", Help: "Result of each kind of health check, when it was last asked for.",
		}, []string{"type", "name"}),
		checksTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "etcd_server_healthchecks_total", Help: "Health checks by kind and result.",
		}, []string{"type", "name", "status"}),
		healthGood: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_server_health_success", Help: "Calls of /health that succeeded.",
		}),
		healthBad: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_server_health_failures", Help: "Calls of /health that failed.",
		}),
		memberID: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "etcd_server_id", Help: "1 for this member's id, in hexadecimal.",
		}, []string{"server_id"}),
		traffic:  newTraffic(),
		versions: make(map[string]bool),
		counters: make(map[clientKind]prometheus.Counter),
	}
	version := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "etcd_server_version", Help: "1 for the version of etcd that is emulated.",
	}, []string{"server_version"})
	version.WithLabelValues(cfg.Version).Set(1)
	for _, c := range []prometheus.Collector{
		m.calls, m.clients, m.watchers, m.watchStreams, m.checks, m.checksTotal,
		m.healthGood, m.healthBad, m.memberID, m.traffic.sent, m.traffic.received,
		version, &storeCollector{server: s}, s.connections,
	} {
		if err := cfg.Registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) setMember(id uint64) {
	m.memberID.WithLabelValues(strconv.FormatUint(id, 16)).Set(1)
}

// countCheck records the outcome of a health check.
func (m *metrics) countCheck(group, name string, ok bool) {
	outcome := "error"
	if ok {
		outcome = "success"
	}
	m.checks.WithLabelValues(group, name).Set(oneIf(ok))
	m.checksTotal.WithLabelValues(group, name, outcome).Inc()
}

// maxClientVersions bounds the label values that clients can make up.
const maxClientVersions = 64

var versionPattern = regexp.MustCompile(`^[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?(-[0-9A-Za-z.]{1,16})?$`)

// clientKind is a label pair of the clients' counters.
type clientKind struct{ kind, version string }

// countClient counts a call. The counters of the versions that are shown by
// name are kept, since to look one up by its labels costs more than to count.
func (m *metrics) countClient(kind, version string) {
	key := clientKind{kind, version}
	m.mu.Lock()
	counter := m.counters[key]
	m.mu.Unlock()
	if counter == nil {
		counter = m.clientCounter(key)
	}
	counter.Inc()
}

func (m *metrics) clientCounter(key clientKind) prometheus.Counter {
	label := m.versionLabel(key.version)
	counter := m.clients.WithLabelValues(key.kind, label)
	if label == key.version {
		m.mu.Lock()
		m.counters[key] = counter
		m.mu.Unlock()
	}
	return counter
}

func (m *metrics) versionLabel(version string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case version == "unknown" || m.versions[version]:
		return version
	case len(m.versions) < maxClientVersions && versionPattern.MatchString(version):
		m.versions[version] = true
		return version
	}
	return "other"
}

// traffic counts the bytes of messages, as etcd does; see codec.
type traffic struct{ sent, received prometheus.Counter }

func newTraffic() *traffic {
	return &traffic{
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_network_client_grpc_sent_bytes_total", Help: "Bytes of messages sent to clients.",
		}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_network_client_grpc_received_bytes_total", Help: "Bytes of messages received from clients.",
		}),
	}
}
