package main

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/server"
	"github.com/zkine/zkine/server/listener"
)

// front is the server on its sockets. Its goroutine runs Serve until drain.
type front struct {
	*server.Server
	clients    []net.Listener
	advertised []string

	stop context.CancelFunc
	done chan struct{}
}

// startFront binds all sockets and serves the metrics URLs. fail is called with
// the error of a listener that breaks later.
func (i *instance) startFront(fail func(error)) (*front, error) {
	cfg := &i.cfg
	bound, err := cfg.listen()
	if err != nil {
		return nil, err
	}
	clients, http, metrics := bound[0], bound[1], bound[2]
	all := slices.Concat(bound...)
	f := &front{clients: clients, advertised: cfg.advertiseURLs, done: make(chan struct{})}
	if len(f.advertised) == 0 {
		f.advertised = boundURLs(clients)
		if listensEverywhere(clients) {
			i.log.Warnf("member list will tell clients %q, which is no address; set --advertise-client-urls", f.advertised)
		}
	}
	if err := cfg.signOwn(all, f.advertised, i.log); err != nil {
		closeAll(all)
		return nil, err
	}
	f.Server, err = server.New(server.Config{
		Name:       cfg.name,
		ClientURLs: cfg.clientURLs, Listeners: clients, AdvertiseClientURLs: f.advertised,
		ClientHTTPURLs: cfg.front.httpURLs, HTTPListeners: http, NoGateway: !cfg.front.gateway,
		MetricsURLs: cfg.metricsURLs, MetricsListeners: metrics,
		TLS: cfg.tls, CORS: cfg.cors, EnablePprof: cfg.enablePprof,
		HostWhitelist: cfg.limits.hostWhitelist, Limits: cfg.limits.limits(),
		MaxRequestBytes: cfg.maxRequestBytes, MaxTxnOps: cfg.maxTxnOps,
		ExtensiveMetrics: cfg.front.metrics == metricsExtensive, SlowRequest: cfg.front.slowRequest,
		Tracing:         cfg.tracing.Config,
		NoLeaderTimeout: cfg.leaderLoss.or(cfg.sessionTimeout),
		StartupStep:     func() string { return i.startup.Progress().String() },
		Registry:        i.registry, Log: i.log,
		Product: productVersion(), Ensemble: i.askEnsemble, Console: server.ConsoleMode(cfg.front.console),
	})
	if err != nil {
		closeAll(all)
		return nil, err
	}
	cfg.tracing.say(i.log)
	warnOfExposure(cfg, slices.Concat(clients, http), metrics, i.log)
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() {
		defer close(f.done)
		if err := f.Serve(ctx); err != nil {
			fail(err)
		}
	}()
	return f, nil
}

// listen binds the sockets for clients, for HTTP alone and for metrics, or none.
func (c *config) listen() (bound [][]net.Listener, err error) {
	for _, of := range []struct {
		listen func([]string) ([]net.Listener, error)
		urls   []string
	}{
		{c.front.reuse.Listen, c.clientURLs},
		{c.front.reuse.ListenHTTP, c.front.httpURLs},
		{c.front.reuse.ListenMetrics, c.metricsURLs},
	} {
		sockets, err := of.listen(of.urls)
		if err != nil {
			closeAll(slices.Concat(bound...))
			return nil, err
		}
		bound = append(bound, sockets)
	}
	return bound, nil
}

// drain sends clients away and waits until nothing is served any more. It may
// be called again.
func (f *front) drain() {
	f.stop()
	<-f.done
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// boundURLs are the URLs of sockets, with the ports that they really have.
func boundURLs(listeners []net.Listener) []string {
	var urls []string
	for _, l := range listeners {
		urls = append(urls, listener.BoundURL(l))
	}
	return urls
}

// reachable replaces the address of a socket that listens everywhere by one
// that can be dialled from this machine.
func reachable(l net.Listener) string {
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		scheme, _, _ := strings.Cut(listener.BoundURL(l), "://")
		return fmt.Sprintf("%s://127.0.0.1:%d", scheme, a.Port)
	}
	return listener.BoundURL(l)
}

// listensEverywhere tells whether some socket has no address of its own, which
// is none to advertise.
func listensEverywhere(listeners []net.Listener) bool {
	for _, l := range listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
			return true
		}
	}
	return false
}

// warnOfExposure names what others can reach without TLS, and how to mend it: one
// line for the client URLs, one for the metrics URLs, one for web pages.
func warnOfExposure(cfg *config, clients, metrics []net.Listener, log *logrus.Entry) {
	if urls := exposed(clients); urls != "" {
		log.Warnf("clients are served without TLS on %s: who reaches it reads and writes every key, and who is on the way reads and alters all, "+
			"passwords and tokens included; listen on https:// with --cert-file, --key-file and --trusted-ca-file, or on a loopback address or unix://", urls)
		if slices.Contains(cfg.cors, "*") {
			log.Warnf("any web page that a browser shows may use the JSON gateway on %s, as far as the browser reaches it; "+
				"name the pages' origins with --cors=, or none, and the host's names with --host-whitelist=", urls)
		}
	}
	if urls := exposed(metrics); urls != "" {
		shown := "metrics and health"
		switch {
		case cfg.front.console == string(server.ConsoleOn):
			shown = "the console, which shows keys and values, and metrics"
		case cfg.enablePprof:
			shown = "profiles, which show keys, and metrics"
		}
		log.Warnf("%s are served without TLS on %s to all who reach it; listen on https://, or on an address that only probes and Prometheus reach", shown, urls)
	}
}

// exposed are the URLs of sockets that other machines reach and that have no TLS;
// "" if there are none.
func exposed(sockets []net.Listener) string {
	var urls []string
	for _, l := range sockets {
		if a, isTCP := l.Addr().(*net.TCPAddr); isTCP && !a.IP.IsLoopback() && !listener.IsSecure(l) {
			urls = append(urls, listener.BoundURL(l))
		}
	}
	return strings.Join(urls, " and ")
}

// readyLine says what to point at zkine.
func readyLine(listeners []net.Listener) string {
	var urls []string
	for _, l := range listeners {
		urls = append(urls, reachable(l))
	}
	list := strings.Join(urls, ",")
	return fmt.Sprintf("zkine is ready: etcdctl --endpoints=%s, kube-apiserver --etcd-servers=%s", list, list)
}

// newRegistry is what /metrics shows; the server and the backend add theirs.
func newRegistry(traffic *zkclient.Traffic) *prometheus.Registry {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "zkine_build_info", Help: "1 for the version that runs.",
		ConstLabels: prometheus.Labels{"version": productVersion(), "go_version": runtime.Version()},
	})
	info.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(info, trafficCollector{traffic}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// trafficCollector shows what was sent to ZooKeeper and what came unasked.
type trafficCollector struct{ traffic *zkclient.Traffic }

var (
	descRequests = prometheus.NewDesc("zkine_zookeeper_requests_total", "Requests sent to ZooKeeper, by ZooKeeper's name for them.", []string{"op"}, nil)
	descEvents   = prometheus.NewDesc("zkine_zookeeper_events_total", "Watch events received from ZooKeeper.", nil, nil)
)

func (c trafficCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- descRequests
	ch <- descEvents
}

func (c trafficCollector) Collect(ch chan<- prometheus.Metric) {
	for op, n := range c.traffic.Requests() {
		ch <- prometheus.MustNewConstMetric(descRequests, prometheus.CounterValue, float64(n), op)
	}
	ch <- prometheus.MustNewConstMetric(descEvents, prometheus.CounterValue, float64(c.traffic.Events()))
}
