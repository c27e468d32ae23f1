package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/server"
	"github.com/zkine/zkine/server/listener"
)

// run starts everything, in the order in which one thing needs another, serves
// until ctx ends or something fails for good, and stops everything in the
// opposite order; but clients are sent away first:
//
//	sockets bound           a port in use is an error before anything is started
//	metrics URLs served     /livez ok, /readyz says what is missing
//	memory read             which cluster was served before
//	local ZooKeeper         if no other is named
//	log opened              waits while ZooKeeper cannot be reached
//	backend opened          the log is replayed
//	clients served
//
// On status, if there is one, it shows how far a start has come. It returns nil
// after a signal. Its goroutines: the front's, one that shows the progress of a
// start, and one that asks an ensemble for its versions; all have ended when it
// returns.
func run(ctx context.Context, cfg config, status *statusLine, log *logrus.Entry) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	gc := tuneGC()
	registry := newRegistry()
	starting := new(backend.Startup)
	front, err := startFront(cfg, starting, registry, log, fail)
	if err != nil {
		return err
	}
	defer front.drain()
	warnOfTempDir(cfg.tempDir, log)

	memory, err := recall(cfg.dataDir, cfg.root, log)
	if err != nil {
		return err
	}
	defer memory.stop()
	cfg.cluster.served = memory.served
	if cfg.cluster.isNew {
		log.Warn("--new-cluster is for one start: leave it out from the next one on, or an empty ensemble at a wrong address is served as well")
	}
	servers := cfg.zookeeper
	var held func(context.Context) (int64, error)
	if len(servers) == 0 {
		var plan localPlan
		cfg, plan = sizeLocal(cfg, log)
		zoo, err := startZooKeeper(ctx, cfg, plan, log)
		if err != nil {
			return startError(ctx, err)
		}
		defer stopZooKeeper(zoo, log)
		servers, held = []string{zoo.Addr()}, zoo.DataBytes
	}
	b, err := openBackend(ctx, cfg, front, servers, opening{starting, status, held, memory}, registry, log)
	if err != nil {
		return startError(ctx, err)
	}
	defer closeBackend(b, log)
	gc.serving()
	if len(cfg.zookeeper) > 0 {
		asked := make(chan struct{})
		go func() { warnOfServers(ctx, servers, cfg, log); close(asked) }()
		defer func() { fail(nil); <-asked }()
	}

	front.Attach(b, memberID(b.ClusterID(), cfg.name))
	select {
	case <-front.Serves():
		log.Info(readyLine(front.clients)) // the last line of a start
	case <-ctx.Done():
	case <-b.Failed():
	}
	err = wait(ctx, cfg, b)
	if err != nil && ctx.Err() == nil { // the error itself is told when all has stopped
		log.Error("the log cannot be followed any further; this zkine stops serving")
	}
	leave(b, log)
	front.drain()
	return err
}

// startError is why a start ended: the signal or the listener that ended ctx,
// or else err.
func startError(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return endOf(ctx)
}

// endOf is the cause of ctx's end; nil if that was a signal.
func endOf(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, errStopped) {
		return cause
	}
	return nil
}

// wait returns when ctx ends or the backend fails, and why.
func wait(ctx context.Context, cfg config, b *backend.Backend) error {
	select {
	case <-ctx.Done():
		return endOf(ctx)
	case <-b.Failed():
		return about("root "+cfg.root, b.Ready())
	}
}

// opening is how far a start has come, and where to show it; status may be nil.
// held tells how much the local ZooKeeper holds, and is nil without one.
type opening struct {
	starting *backend.Startup
	status   *statusLine
	held     func(context.Context) (int64, error)
	memory   *memory // of what is served once it is open
}

func openBackend(ctx context.Context, cfg config, front *front, servers []string, o opening, registry *prometheus.Registry, log *logrus.Entry) (*backend.Backend, error) {
	l, err := openLog(ctx, cfg, servers, o.starting.Waiting, log)
	if err != nil {
		return nil, err
	}
	log.Infof("replaying the log under %s", cfg.root)
	defer follow(log, o.status, o.starting)()
	b, err := backend.Open(ctx, l, backend.Config{
		Member: revision.Member{
			Name: cfg.name, ID: memberID(l.ClusterID(), cfg.name), ClientURLs: front.advertised,
		},
		ProgressNotifyInterval: cfg.progressInterval,
		AutoCompaction:         cfg.autoCompaction,
		QuotaBytes:             cfg.quotaBytes,
		TempDir:                cfg.tempDir,
		Held:                   o.held,
		Startup:                o.starting,
		Auth:                   cfg.auth.config(cfg.tls.ClientCertAuth),
		Registerer:             registry,
		Log:                    log,
	})
	if err != nil {
		return nil, about("root "+cfg.root, err)
	}
	log.Info(clusterLine(cfg.root, l, int64(b.Status().Revision)))
	o.memory.follow(l.Served)
	return b, nil
}

// warnOfTempDir says so early if no snapshot can be made; all else can.
func warnOfTempDir(dir string, log *logrus.Entry) {
	if err := etcddb.CheckTempDir(dir); err != nil {
		log.WithError(err).Warn("snapshots cannot be made")
	}
}

// leaveTimeout is what the members' list may cost a stop: without ZooKeeper the
// session ends by itself.
const leaveTimeout = 500 * time.Millisecond

// leave hands over to the other members before clients are sent there.
func leave(b *backend.Backend, log *logrus.Entry) {
	if b.Ready() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := b.Leave(ctx); err != nil {
		log.WithError(err).Debug("not taken off the list of members before the session ends")
	}
}

func closeBackend(b *backend.Backend, log *logrus.Entry) {
	if err := b.Close(); err != nil {
		log.WithError(err).Warn("closing the log")
	}
}

// memberID is stable for a name on a root, and never 0.
func memberID(clusterID uint64, name string) uint64 {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, clusterID), name...))
	return max(binary.BigEndian.Uint64(sum[:]), 1)
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
func startFront(cfg config, starting *backend.Startup, registry *prometheus.Registry, log *logrus.Entry, fail func(error)) (*front, error) {
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
			log.Warnf("member list will tell clients %q, which is no address; set --advertise-client-urls", f.advertised)
		}
	}
	f.Server, err = server.New(server.Config{
		Name:       cfg.name,
		ClientURLs: cfg.clientURLs, Listeners: clients, AdvertiseClientURLs: f.advertised,
		MetricsURLs: cfg.metricsURLs, MetricsListeners: metrics,
		TLS: cfg.tls, CORS: cfg.cors, EnablePprof: cfg.enablePprof,
		MaxRequestBytes: cfg.maxRequestBytes, MaxTxnOps: cfg.maxTxnOps,
		NoLeaderTimeout: cfg.leaderLoss.or(cfg.sessionTimeout),
		StartupStep:     func() string { return starting.Progress().String() },
		Registry:        registry, Log: log,
	})
	if err != nil {
		closeAll(clients)
		closeAll(metrics)
		return nil, err
	}
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
