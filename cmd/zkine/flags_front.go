package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"github.com/zkine/zkine/server"
	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/tracing"
)

// frontFlags are how clients are served, besides URLs, TLS and limits. Names and
// defaults are etcd's.
type frontFlags struct {
	httpURLs    []string
	gateway     bool
	reuse       listener.Reuse
	autoTLS     bool
	certYears   uint
	metrics     string
	slowRequest time.Duration
	console     string
}

const (
	metricsBasic     = "basic"
	metricsExtensive = "extensive"
)

func (o *frontFlags) bind(f *pflag.FlagSet) {
	f.StringSliceVar(&o.httpURLs, "listen-client-http-urls", nil, "`urls` to serve HTTP on, and nothing else; --listen-client-urls serve gRPC alone then")
	f.BoolVar(&o.gateway, "enable-grpc-gateway", true, "serve the JSON gateway")
	f.BoolVar(&o.reuse.Port, "socket-reuse-port", false, "let several processes listen on a port (SO_REUSEPORT)")
	f.BoolVar(&o.reuse.Address, "socket-reuse-address", false, "let a port be bound on which connections are still closing (SO_REUSEADDR)")
	f.BoolVar(&o.autoTLS, "auto-tls", false, "make a certificate that signs itself, in the data folder, where none is named for https:// and unixs:// URLs")
	f.UintVar(&o.certYears, "self-signed-cert-validity", 1, "how many `years` a certificate of --auto-tls is valid")
	f.StringVar(&o.metrics, "metrics", metricsBasic, "`level` of the metrics: basic, or extensive, with histograms of how long calls take")
	f.StringVar(&o.console, "console", string(server.ConsoleAuto), "where the console is, a page under /console/ on the metrics URLs: auto for those that no other machine reaches, on for all, or off")
	f.DurationVar(&o.slowRequest, "warning-unary-request-duration", server.DefaultSlowRequest, "how long a call may take without a warning in the log; 0 for the default")
}

func (o *frontFlags) check(v *checker) {
	v.urls("listen-client-http-urls", o.httpURLs, "http", "https", "unix", "unixs")
	v.between("self-signed-cert-validity", int64(o.certYears), 1, 100, plain)
	v.oneOf("metrics", o.metrics, metricsBasic, metricsExtensive)
	v.oneOf("console", o.console, string(server.ConsoleAuto), string(server.ConsoleOn), string(server.ConsoleOff))
	v.duration("warning-unary-request-duration", o.slowRequest, 0, time.Hour)
}

// signOwn has the certificate of --auto-tls served, if some socket needs one and
// none is named.
func (c *config) signOwn(sockets []net.Listener, advertised []string, log *logrus.Entry) error {
	switch {
	case !c.front.autoTLS || !slices.ContainsFunc(sockets, listener.IsSecure):
		return nil
	case c.tls.Given():
		log.Warn("--auto-tls is not used: there is a certificate")
		return nil
	}
	// Where etcd has it.
	dir := filepath.Join(c.dataDir, "fixtures", "client")
	own, err := listener.SelfSigned(dir, hostsOf(sockets, advertised), c.front.certYears)
	if err != nil {
		return err
	}
	c.tls.CertFile, c.tls.KeyFile = own.CertFile, own.KeyFile
	log.Warnf("the certificate %s signs itself, and is valid until %s: clients need it as their CA, or check nothing", own.CertFile, own.Until.Format(time.DateOnly))
	return nil
}

// hostsOf are the names and addresses by which clients may reach the sockets.
func hostsOf(sockets []net.Listener, advertised []string) (hosts []string) {
	add := func(name string) {
		if name != "" && !slices.Contains(hosts, name) {
			hosts = append(hosts, name)
		}
	}
	for _, l := range sockets {
		if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsUnspecified() {
			add(a.IP.String())
		}
	}
	for _, raw := range advertised {
		if u, err := url.Parse(raw); err == nil && !strings.HasPrefix(raw, "unix") {
			if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsUnspecified() {
				add(u.Hostname())
			}
		}
	}
	add("localhost")
	add("127.0.0.1")
	if name, err := os.Hostname(); err == nil {
		add(name)
	}
	return hosts
}

// allowedHostnames refuses names that no certificate would be compared with.
func (v *checker) allowedHostnames(t listener.TLS) {
	if len(t.AllowedHostnames) > 0 && t.TrustedCAFile == "" && !t.ClientCertAuth {
		v.refuse("client-cert-allowed-hostname", "clients are asked for no certificate",
			fmt.Sprintf("demand one, with --client-cert-auth and --trusted-ca-file, or leave out %s", strings.Join(t.AllowedHostnames, ",")))
	}
}

// tracingFlags say whether calls are traced, and where their spans go. Names are etcd's,
// and so are defaults but for those of the names of service and instance.
type tracingFlags struct{ tracing.Config }

func (o *tracingFlags) bind(f *pflag.FlagSet) {
	f.BoolVar(&o.Enabled, "enable-distributed-tracing", false, "send traces of calls to a collector of OpenTelemetry's (OTLP over gRPC)")
	f.StringVar(&o.Address, "distributed-tracing-address", tracing.DefaultAddress, "the collector's `host:port`, or https://host:port for TLS")
	f.StringVar(&o.ServiceName, "distributed-tracing-service-name", tracing.DefaultServiceName, "`name` of the service in traces, the same for all zkines of a cluster")
	f.StringVar(&o.InstanceID, "distributed-tracing-instance-id", "", "`id` of this zkine in traces (default: its --name)")
	f.IntVar(&o.SamplingRate, "distributed-tracing-sampling-rate", 0, "of how many in a million `calls` that come without a trace one is made; a call that comes with one is traced if that is")
}

func (o *tracingFlags) check(v *checker, name string) {
	v.between("distributed-tracing-sampling-rate", int64(o.SamplingRate), 0, tracing.MaxSamplingRate, plain)
	if !isCollector(o.Address) {
		v.refuse("distributed-tracing-address", fmt.Sprintf("%q is no collector's address", o.Address), "write one like "+tracing.DefaultAddress+", or https://collector:4317 for TLS")
	}
	if o.ServiceName == "" {
		v.refuse("distributed-tracing-service-name", "no name is given", "write one like "+tracing.DefaultServiceName)
	}
	if o.InstanceID == "" {
		o.InstanceID = name
	}
	o.Version = productVersion()
}

// isCollector says whether an address may be a collector's: host:port, or a URL of it.
func isCollector(address string) bool {
	if scheme, _, isURL := strings.Cut(address, "://"); isURL {
		u, err := url.Parse(address)
		if err != nil || scheme != "http" && scheme != "https" || u.Path != "" && u.Path != "/" {
			return false
		}
		address = u.Host
	}
	host, port, err := net.SplitHostPort(address)
	return err == nil && host != "" && port != ""
}

// say tells at the start that calls are traced.
func (o *tracingFlags) say(log *logrus.Entry) {
	if o.Enabled {
		log.WithFields(logrus.Fields{"collector": o.Address, "service": o.ServiceName, "instance": o.InstanceID, "sampled-per-million": o.SamplingRate}).
			Info("traces of calls are sent to a collector")
	}
}
