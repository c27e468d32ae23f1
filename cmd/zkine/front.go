package main

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

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
	clients, err := listener.Listen(cfg.clientURLs)
	if err != nil {
		return nil, err
	}
	metrics, err := listener.ListenMetrics(cfg.metricsURLs)
	if err != nil {
		closeAll(clients)
		return nil, err
	}
	f := &front{clients: clients, advertised: cfg.advertiseURLs, done: make(chan struct{})}
	if len(f.advertised) == 0 {
		f.advertised = boundURLs(clients)
		if listensEverywhere(clients) {
			i.log.Warnf("member list will tell clients %q, which is no address; set --advertise-client-urls", f.advertised)
		}
	}
	f.Server, err = server.New(server.Config{
		Name:       cfg.name,
		ClientURLs: cfg.clientURLs, Listeners: clients, AdvertiseClientURLs: f.advertised,
		MetricsURLs: cfg.metricsURLs, MetricsListeners: metrics,
		TLS: cfg.tls, CORS: cfg.cors, EnablePprof: cfg.enablePprof,
		HostWhitelist: cfg.limits.hostWhitelist, Limits: cfg.limits.limits(),
		MaxRequestBytes: cfg.maxRequestBytes, MaxTxnOps: cfg.maxTxnOps,
		NoLeaderTimeout: cfg.leaderLoss.or(cfg.sessionTimeout),
		StartupStep:     func() string { return i.startup.Progress().String() },
		Registry:        i.registry, Log: i.log,
	})
	if err != nil {
		closeAll(clients)
		closeAll(metrics)
		return nil, err
	}
	warnOfExposure(cfg, clients, metrics, i.log)
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
func newRegistry() *prometheus.Registry {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "zkine_build_info", Help: "1 for the version that runs.",
		ConstLabels: prometheus.Labels{"version": productVersion(), "go_version": runtime.Version()},
	})
	info.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(info, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
