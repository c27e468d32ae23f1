package server

import (
	"errors"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/zkine/zkine/server/listener"
)

// Limits bound what a client's connection may do. Names and defaults are etcd's.
// The zero value of a field stands for its default, a negative duration for none.
type Limits struct {
	// MaxConcurrentStreams is how many calls a connection may have under way.
	MaxConcurrentStreams uint32
	// KeepaliveMinTime is how long a client has to wait from one ping to the next.
	// One that pings more often is sent away. Kubernetes pings every 30 s.
	KeepaliveMinTime time.Duration
	// KeepaliveInterval is after how long without a sign of life a client is pinged,
	// and KeepaliveTimeout how long it may take to answer.
	KeepaliveInterval, KeepaliveTimeout time.Duration
}

// etcd's defaults.
const (
	DefaultMaxConcurrentStreams = math.MaxUint32
	DefaultKeepaliveMinTime     = 5 * time.Second
	DefaultKeepaliveInterval    = 2 * time.Hour
	DefaultKeepaliveTimeout     = 20 * time.Second
)

const (
	// maxHeaderBytes bounds the headers of a request. A token is the largest thing in
	// them. etcd takes 16 MiB over gRPC, and 1 MiB over HTTP.
	maxHeaderBytes = 64 << 10
	// httpHeaderTimeout is how long the headers of an HTTP request may take, or its
	// TLS handshake and headers. etcd gives clients 5 min.
	httpHeaderTimeout = 30 * time.Second
	// metricsHeaderTimeout is the same for the metrics URLs.
	metricsHeaderTimeout = 10 * time.Second
	// httpIdleTimeout is how long an HTTP connection may be idle between requests.
	httpIdleTimeout = 5 * time.Minute
	// httpBodyTimeout is how long a request's body may take, but on the paths where
	// clients send for as long as they like.
	httpBodyTimeout = time.Minute
)

func (l *Limits) setDefaults() {
	setDefault(&l.MaxConcurrentStreams, DefaultMaxConcurrentStreams)
	setDefault(&l.KeepaliveMinTime, DefaultKeepaliveMinTime)
	setDefault(&l.KeepaliveInterval, DefaultKeepaliveInterval)
	setDefault(&l.KeepaliveTimeout, DefaultKeepaliveTimeout)
}

// grpc are the options of a gRPC server. As in etcd, a client without calls may not
// ping.
func (l Limits) grpc() []grpc.ServerOption {
	parameters := keepalive.ServerParameters{Time: l.KeepaliveInterval, Timeout: l.KeepaliveTimeout}
	if l.KeepaliveInterval < 0 || l.KeepaliveTimeout < 0 {
		parameters.Time = math.MaxInt64 // grpc-go's own word for never
	}
	return []grpc.ServerOption{
		grpc.MaxConcurrentStreams(l.MaxConcurrentStreams),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: max(l.KeepaliveMinTime, time.Nanosecond)}),
		grpc.KeepaliveParams(parameters),
	}
}

// http sets the limits of an HTTP server.
func (l Limits) http(s *http.Server, headerTimeout time.Duration) {
	s.ReadHeaderTimeout, s.IdleTimeout, s.MaxHeaderBytes = headerTimeout, httpIdleTimeout, maxHeaderBytes
	// net/http takes its own default for what is larger.
	s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: int(min(l.MaxConcurrentStreams, math.MaxInt32))}
	listener.TrackHTTP(s)
	next := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && !endlessBody(r.URL.Path) && !isGRPC(r) {
			limitBody(w, r)
		}
		next.ServeHTTP(w, r)
	})
}

// limitBody bounds the time that a request's body may take, also one that no handler
// reads: net/http reads what is left of it before the next request.
func limitBody(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Now().Add(httpBodyTimeout)) == nil {
		r.Body = &limitedBody{r.Body, control}
	}
}

// limitedBody is a body that takes the deadline off when it has been read. With the end
// of the body net/http begins to watch whether the client is still there; a deadline would
// end the request then. A body that did not come in time keeps it: net/http would wait for
// the rest.
type limitedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{}) // the connection may be closed
	}
	return n, err
}

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
		metrics: listener.NewProbed(cfg.Log),
	}, nil
}

var (
	descConnections = prometheus.NewDesc("zkine_connections", "Open connections, on the client or the metrics URLs.", []string{"urls"}, nil)
	descMost        = prometheus.NewDesc("zkine_connections_max", "Connections that there may be at once.", []string{"urls"}, nil)
	descEnded       = prometheus.NewDesc("zkine_connections_ended_total", "Connections that zkine has ended: refused for want of room, evicted for new ones, silent without a call, stalled while others waited to be answered.", []string{"urls", "reason"}, nil)
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
		for reason, n := range map[string]uint64{"refused": ended.Refused, "evicted": ended.Evicted, "silent": ended.Silent, "stalled": ended.Stalled} {
			ch <- prometheus.MustNewConstMetric(descEnded, prometheus.CounterValue, float64(n), urls, reason)
		}
	}
}
