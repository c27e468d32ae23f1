package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/cmd/zkine/systemd"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/measured"
	"github.com/zkine/zkine/server/families"
)

// instance is one run of `zkine server`, as far as it has come.
type instance struct {
	cfg      config
	status   *statusLine // nil unless stderr is a terminal
	log      *logrus.Entry
	registry *prometheus.Registry
	traffic  *zkclient.Traffic // with ZooKeeper
	measured *measured.Session
	startup  *backend.Startup
	front    *front
	record   *servedRecord
	// servers are ZooKeeper's addresses, and security is how they are met.
	servers  []string
	security security
	// oneServer says that this is the local ZooKeeper; see zklog.Config.
	oneServer bool
	// heap is how large the local ZooKeeper's may become, in bytes; 0 without one.
	heap int64
	// held tells how many bytes the local ZooKeeper holds; nil without one.
	held func(context.Context) (int64, error)
}

// run starts everything, in the order in which one thing needs another, serves
// until ctx ends or something fails for good, and stops everything in the
// opposite order; but clients are sent away first:
//
//	sockets bound           a port in use is an error before anything is started
//	metrics URLs served     /livez ok, /readyz says what is missing
//	served record read      which cluster was served before
//	local ZooKeeper         if no other is named; closed to other users of the host
//	ACLs looked at          of an ensemble: nothing is created that would lock this zkine out
//	log opened              waits while ZooKeeper cannot be reached
//	backend opened          the log is replayed
//	clients served
//
// On status, if there is one, it shows how far a start has come. It returns nil
// after a signal. Its goroutines: the front's, one that shows how far a start has
// come, the served record's, and one that asks an ensemble for its versions; all
// have ended when it returns.
func run(ctx context.Context, cfg config, status *statusLine, log *logrus.Entry) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	gc := tuneGC()
	i := &instance{cfg: cfg, status: status, log: log, traffic: new(zkclient.Traffic), startup: new(backend.Startup), servers: cfg.zookeeper}
	i.registry = newRegistry(i.traffic)
	i.measured = measured.NewSession(i.registry)
	var err error
	if i.front, err = i.startFront(fail); err != nil {
		return err
	}
	manager := systemd.Start(i.front.Alive, func() string { return i.startup.Progress().String() }, log)
	defer manager.Close()
	defer i.front.drain()
	defer manager.Stopping()
	warnOfTempDir(cfg.tempDir, log)
	if err := i.readRecord(); err != nil {
		return err
	}
	defer i.record.stop()
	if i.security, err = cfg.security.load(log); err != nil {
		return err
	}
	if i.security.tls != nil {
		i.registry.MustRegister(families.Expiry("zookeeper", i.security.tls.Expires))
	}
	i.security.warnOfOpenDoor(i.servers, log)
	if len(i.servers) == 0 {
		stop, err := i.startLocal(ctx)
		if err != nil {
			return startError(ctx, err)
		}
		defer stop()
	} else if err := i.checkACL(ctx); err != nil {
		return startError(ctx, err)
	}
	limitMemory(i.heap, log)
	i.sayMemory()
	b, err := i.openBackend(ctx)
	if err != nil {
		return startError(ctx, err)
	}
	defer closeBackend(b, log)
	gc.serving()
	if len(cfg.zookeeper) > 0 {
		inspected := make(chan struct{})
		go func() { inspectEnsemble(ctx, i.ensemble(), i.cfg, log); close(inspected) }()
		defer func() { fail(nil); <-inspected }()
	}
	return i.serve(ctx, b, manager)
}

// readRecord reads which cluster was served before, and notes it for the log.
func (i *instance) readRecord() (err error) {
	if i.record, err = readServedRecord(i.cfg.dataDir, i.cfg.root, i.log); err != nil {
		return err
	}
	i.cfg.cluster.served = i.record.served
	if i.cfg.cluster.isNew {
		i.log.Warn("--new-cluster is for one start: leave it out from the next one on, or an empty ensemble at a wrong address is served as well")
	}
	return nil
}

// startLocal starts the local ZooKeeper, fits the settings to it, and closes it to
// others. stop ends it.
func (i *instance) startLocal(ctx context.Context) (stop func(), err error) {
	var plan localPlan
	i.cfg, plan = sizeLocal(i.cfg, i.log)
	i.heap = plan.heap
	zooKeeper, err := startZooKeeper(ctx, i.cfg, plan, i.log)
	if err != nil {
		return nil, err
	}
	stop = func() { stopZooKeeper(zooKeeper, i.log) }
	if err := closeLocal(ctx, zooKeeper, i.cfg.maxRequest, i.log); err != nil {
		stop()
		return nil, err
	}
	i.servers, i.held, i.security = []string{zooKeeper.Addr()}, zooKeeper.DataBytes, localSecurity(zooKeeper)
	i.oneServer = zooKeeper.Distribution().IsSince(3, 6)
	return stop, nil
}

// serve has clients served until ctx ends or the backend fails, and returns why.
func (i *instance) serve(ctx context.Context, b *backend.Backend, manager *systemd.Manager) error {
	i.front.Attach(b, memberID(b.ClusterID(), i.cfg.name))
	select {
	case <-i.front.Serves():
		manager.Ready()
		i.log.Info(readyLine(i.front.clients)) // the last line of a start
	case <-ctx.Done():
	case <-b.Failed():
	}
	err := wait(ctx, i.cfg.root, b)
	manager.Stopping()
	told := logFailure(b, i.log)
	leave(b, i.log)
	i.front.drain()
	if !told { // it may have failed while clients were sent away
		logFailure(b, i.log)
	}
	return err
}

// logFailure logs why the backend has failed; false if it has not. The process
// ends with the same error, but only after all has stopped, which may be cut
// short, and not if a signal came first.
func logFailure(b *backend.Backend, log *logrus.Entry) bool {
	select {
	case <-b.Failed():
		log.WithError(b.Ready()).Error("the log cannot be followed any further; this zkine stops serving")
		return true
	default:
		return false
	}
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
func wait(ctx context.Context, root string, b *backend.Backend) error {
	select {
	case <-ctx.Done():
		return endOf(ctx)
	case <-b.Failed():
		return about("root "+root, b.Ready())
	}
}

// warnOfTempDir says early if no snapshot can be made; all else is served.
func warnOfTempDir(dir string, log *logrus.Entry) {
	if err := etcddb.CheckTempDir(dir); err != nil {
		log.WithError(err).Warn("snapshots cannot be made, all else is served; name another folder with --temp-dir")
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
		log.WithError(err).Warn("the session with ZooKeeper was not closed in order; it ends by itself within the session timeout")
	}
}
