package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-semver/semver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/observe"
	"github.com/zkine/zkine/server/tracing"
)

// Defaults are etcd's, where etcd has the setting.
const (
	DefaultMaxRequestBytes = 3 << 19 // 1.5 MiB
	DefaultMaxTxnOps       = 128
	DefaultVersion         = "3.7.3"
	DefaultRequestTimeout  = 7 * time.Second  // etcd: 5 s + 2 election timeouts
	DefaultNoLeaderTimeout = 30 * time.Second // etcd: 3 s; see cmd/zkine/flags_leaderloss.go
	DefaultSlowRequest     = 300 * time.Millisecond
	DefaultDrainTimeout    = 10 * time.Second
	DefaultSnapshotStall   = time.Minute // etcd waits for ever
)

// Config says what a Server serves, where, and within which limits. The zero
// value of a limit stands for its default.
type Config struct {
	// Backend executes the requests. It may be nil when the server starts, and
	// be handed in by Attach; the metrics URLs answer before that.
	Backend Backend
	// MemberID is the member_id of response headers, known with Backend.
	MemberID uint64
	// Name is the member's name, for the log.
	Name string

	// ClientURLs are where clients are served: http://host:port or unix://path,
	// https:// or unixs:// with TLS. Listeners, if not nil, are those URLs'
	// sockets, already bound by Listen; the server closes them.
	ClientURLs []string
	Listeners  []net.Listener
	// ClientHTTPURLs, if there are some, serve HTTP alone, and ClientURLs gRPC alone.
	// HTTPListeners are their sockets, if ListenHTTP has bound them.
	ClientHTTPURLs []string
	HTTPListeners  []net.Listener
	// AdvertiseClientURLs are what other members tell clients, for the log.
	AdvertiseClientURLs []string
	// MetricsURLs are where /metrics, /health, /livez, /readyz and /version
	// are served, of the same forms; none is allowed. MetricsListeners are
	// their sockets, if ListenMetrics has bound them.
	MetricsURLs      []string
	MetricsListeners []net.Listener
	// Reuse says how far the ports of all these may be in use, where they are still to
	// be bound.
	Reuse listener.Reuse
	// NoGateway leaves the JSON gateway out.
	NoGateway bool
	// ExtensiveMetrics measures how long calls take, as etcd's --metrics=extensive.
	ExtensiveMetrics bool
	// EnablePprof serves Go's profiles under /debug/pprof/ on all these, as etcd
	// does; they tell much of what the process does.
	EnablePprof bool
	// Console says on which metrics URLs the console is; see console.Path.
	Console ConsoleMode
	// TLS is how the https:// and unixs:// ones among all these are served.
	TLS listener.TLS
	// CORS are the origins of web pages that may read from the client URLs; "*"
	// is any.
	CORS []string
	// HostWhitelist are the host names under which HTTP without TLS is served on the
	// client URLs. "*", or none, is any.
	HostWhitelist []string
	// MaxConnections bounds the clients' connections, all of them together; 0 is for
	// what the limit of open files leaves room for.
	MaxConnections int
	// Limits are those of each connection.
	Limits Limits

	// MaxRequestBytes bounds a write request; gRPC takes 512 KiB more.
	MaxRequestBytes int
	// MaxTxnOps bounds the compares and the operations of a branch in a Txn.
	MaxTxnOps int
	// MaxSendBytes bounds what answers of 256 KiB and more take until their clients
	// have taken them; further ones wait.
	MaxSendBytes int64
	// Version is the version of etcd that clients are told.
	Version string
	// Product is the version of zkine, for what it tells of itself.
	Product string

	// StartupStep says how far the start has come, as long as there is no Backend;
	// nil if that is not known.
	StartupStep func() string

	// Ensemble asks the ZooKeeper servers what they say of themselves, within ctx. It is
	// not called before there is a Backend; nil if there are none to ask.
	Ensemble func(ctx context.Context) []observe.Server

	// RequestTimeout ends a unary call with "request timed out", if the
	// client's own deadline does not come first.
	RequestTimeout time.Duration
	// NoLeaderTimeout is how long a Backend may be not ready before streams
	// that require a leader are ended.
	NoLeaderTimeout time.Duration
	// SlowRequest is how long a call may take without being logged.
	SlowRequest time.Duration
	// Tracing says whether calls are traced, and where their spans go.
	Tracing tracing.Config
	// SnapshotStall is how long a client may take nothing of a snapshot until it
	// is given up.
	SnapshotStall time.Duration
	// DrainTimeout is how long Serve waits for calls when its context ends.
	DrainTimeout time.Duration

	// Registry takes the server's metrics and is what /metrics shows, for one
	// server; nil is a registry of its own, with those of Go and the process.
	Registry *prometheus.Registry
	// Log may be nil.
	Log *logrus.Entry
}

// withDefaults fills in what is zero, and refuses what makes no sense.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.MaxRequestBytes, DefaultMaxRequestBytes)
	setDefault(&c.MaxTxnOps, DefaultMaxTxnOps)
	setDefault(&c.MaxSendBytes, DefaultMaxSendBytes)
	setDefault(&c.Version, DefaultVersion)
	setDefault(&c.RequestTimeout, DefaultRequestTimeout)
	setDefault(&c.NoLeaderTimeout, DefaultNoLeaderTimeout)
	setDefault(&c.SlowRequest, DefaultSlowRequest)
	setDefault(&c.DrainTimeout, DefaultDrainTimeout)
	setDefault(&c.SnapshotStall, DefaultSnapshotStall)
	c.Limits.setDefaults()
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
		c.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	if c.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		c.Log = logrus.NewEntry(silent)
	}
	if len(c.ClientURLs) == 0 && len(c.Listeners) == 0 {
		return c, errors.New("server: no listen URL for clients; set --listen-client-urls")
	}
	if c.MaxRequestBytes < 0 || c.MaxTxnOps < 0 {
		return c, errors.New("server: --max-request-bytes and --max-txn-ops must be positive")
	}
	if _, err := semver.NewVersion(c.Version); err != nil {
		return c, fmt.Errorf("server: version %q is not of the form 3.7.3", c.Version)
	}
	return c, nil
}

// secure tells whether any URL says TLS.
func (c Config) secure() bool {
	says := func(url string) bool { return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "unixs://") }
	return slices.ContainsFunc(slices.Concat(c.ClientURLs, c.ClientHTTPURLs, c.MetricsURLs), says) ||
		slices.ContainsFunc(slices.Concat(c.Listeners, c.HTTPListeners, c.MetricsListeners), listener.IsSecure)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// minorVersion is the version with its patch set to 0: what etcd calls the
// cluster's and the storage's version.
func (c Config) minorVersion() string {
	return c.Version[:strings.LastIndexByte(c.Version, '.')] + ".0"
}
