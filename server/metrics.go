package server

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkine/zkine/server/families"
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
	requests     *families.Requests
	// leaderless counts streams that were ended for want of a leader.
	leaderless prometheus.Counter

	mu sync.Mutex
	// versions are those of clients that are shown by name.
	versions map[string]bool
	counters map[clientKind]prometheus.Counter
}

// newMetrics registers everything that /metrics shows of the server.
func newMetrics(cfg Config, s *Server) (*metrics, error) {
	var measured []grpcprom.ServerMetricsOption
	if cfg.ExtensiveMetrics {
		measured = append(measured, grpcprom.WithServerHandlingTimeHistogram())
	}
	m := &metrics{
		calls: grpcprom.NewServerMetrics(measured...),
		clients: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "etcd_server_client_requests_total", Help: "The total number of client requests per client version.",
		}, []string{"type", "client_api_version"}),
		watchers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "etcd_debugging_mvcc_watcher_total", Help: "Total number of watchers.",
		}),
		watchStreams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "etcd_debugging_mvcc_watch_stream_total", Help: "Total number of watch streams.",
		}),
		checks: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "etcd_server_healthcheck", Help: "Result of each kind of health check, when it was last asked for.",
		}, []string{"type", "name"}),
		checksTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "etcd_server_healthchecks_total", Help: "Health checks by kind and result.",
		}, []string{"type", "name", "status"}),
		healthGood: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_server_health_success", Help: "The total number of successful health checks",
		}),
		healthBad: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_server_health_failures", Help: "The total number of failed health checks",
		}),
		memberID: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "etcd_server_id", Help: "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
		}, []string{"server_id"}),
		traffic:  newTraffic(),
		requests: families.NewRequests(),
		leaderless: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "zkine_streams_ended_without_leader_total", Help: "Calls that were ended since their clients want a leader, and ZooKeeper was away for too long.",
		}),
		versions: make(map[string]bool),
		counters: make(map[clientKind]prometheus.Counter),
	}
	others := append(families.Versions(cfg.Version, cfg.minorVersion()[:strings.LastIndexByte(cfg.minorVersion(), '.')]), families.Descriptors()...)
	if s.tls != nil {
		others = append(others, families.Expiry("server", s.tls.Expires))
	}
	for _, c := range append(others,
		m.calls, m.clients, m.watchers, m.watchStreams, m.checks, m.checksTotal,
		m.healthGood, m.healthBad, m.memberID, m.traffic.sent, m.traffic.received,
		m.requests, m.leaderless, &storeCollector{server: s}, s.connections, s.usage,
	) {
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
			Name: "etcd_network_client_grpc_sent_bytes_total", Help: "The total number of bytes sent to grpc clients.",
		}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_network_client_grpc_received_bytes_total", Help: "The total number of bytes received from grpc clients.",
		}),
	}
}
