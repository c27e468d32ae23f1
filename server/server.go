package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"github.com/zkine/zkine/server/calllog"
	"github.com/zkine/zkine/server/console"
	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/observe"
	"github.com/zkine/zkine/server/tracing"
	"github.com/zkine/zkine/server/usage"
	"github.com/zkine/zkine/server/v3rpc"
)

// Server serves etcd's API from a Backend. See the package comment for its
// life: New, Start, Attach, Stop; or Serve, which is Start, wait, Stop.
type Server struct {
	cfg     Config
	log     *logrus.Entry
	metrics *metrics
	live    liveCalls
	usage   *usage.Recorder
	process *observe.Process
	callLog *calllog.Log
	tracing *tracing.Tracing // nil for no traces

	// facade is nil until Attach, and then stays.
	facade atomic.Pointer[facade]
	// attached wakes the readiness loop.
	attached chan struct{}
	// serves is closed when clients are served for the first time.
	serves     chan struct{}
	servesOnce sync.Once

	bound       sockets
	connections *connections
	muxes       []*listener.Mux
	tls         *listener.TLSSource // nil without https:// and unixs:// URLs
	// web serves HTTP on the client URLs, once clients are served.
	web   *http.Server
	https []*http.Server
	// console is nil if there is none.
	console *console.Console
	// calls are the HTTP requests on all URLs, but for those of gRPC.
	calls *httpCalls

	// startStop serialises Start, Attach and Stop; they are rare.
	startStop sync.Mutex
	started   bool
	// stopping is closed when Stop begins.
	stopping chan struct{}
	stopOnce sync.Once
	stopErr  error
	// failed holds the first error of a listener.
	failed chan error
	// readiness ends with the loop that may start accept loops; accepts
	// counts those and the metrics URLs'.
	readiness sync.WaitGroup
	accepts   sync.WaitGroup
}

// facade is what exists once there is a Backend.
type facade struct {
	backend  Backend
	memberID uint64
	// grpc serves clients, overHTTP those that reach gRPC through net/http, and
	// the server itself is served by loopback.
	grpc     *grpc.Server
	overHTTP *grpc.Server
	loopback *loopback
	health   *health.Server
	sender   sender
	services *v3rpc.Services
	// accepting says that client listeners are open; only the readiness loop
	// writes it.
	accepting atomic.Bool
}

// New checks the configuration, TLS files included. Nothing runs and nothing is
// bound before Start.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:      cfg,
		log:      cfg.Log,
		usage:    usage.NewRecorder(),
		process:  observe.NewProcess(),
		calls:    newHTTPCalls(),
		attached: make(chan struct{}, 1),
		serves:   make(chan struct{}),
		stopping: make(chan struct{}),
		failed:   make(chan error, 1),
	}
	switch {
	case cfg.secure():
		if s.tls, err = listener.NewTLSSource(cfg.TLS, cfg.Log); err != nil {
			return nil, err
		}
	case cfg.TLS.Given():
		s.log.Warn("--cert-file and --key-file are not used: no URL begins with https:// or unixs://")
	}
	if s.connections, err = newConnections(cfg); err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(cfg, s); err != nil {
		return nil, err
	}
	if err := s.followCalls(); err != nil {
		return nil, err
	}
	s.console = s.newConsole()
	if cfg.Backend != nil {
		s.Attach(cfg.Backend, cfg.MemberID)
	}
	return s, nil
}

// followCalls makes what tells of calls.
func (s *Server) followCalls() (err error) {
	told := calllog.Config{Client: clientOf, Names: s.nameOf, Took: s.metrics.requests.Took, Log: s.log, Slow: s.cfg.SlowRequest, Lasts: maps.Clone(waits)}
	told.Lasts[pb.Maintenance_Snapshot_FullMethodName] = true // as long as the store is large
	if s.cfg.Tracing.Enabled {
		if s.tracing, err = tracing.Start(s.cfg.Tracing, s.cfg.Registry, s.log); err != nil {
			return err
		}
		told.Tracer = s.tracing.Tracer()
	}
	s.callLog, err = calllog.New(told, s.cfg.Registry)
	return err
}

// Serves is closed once clients are served for the first time, and all that says
// so has said it.
func (s *Server) Serves() <-chan struct{} { return s.serves }

// Attach gives the server its backend, once, and the id that response headers
// name. Clients are served as soon as the backend is ready.
func (s *Server) Attach(b Backend, memberID uint64) {
	s.startStop.Lock()
	defer s.startStop.Unlock()
	f := s.newFacade(b, memberID)
	if !s.facade.CompareAndSwap(nil, f) {
		panic("server: Attach called twice")
	}
	s.metrics.setMember(memberID)
	s.attached <- struct{}{}
}

// Start binds what Listen has not bound yet, and begins to serve in the
// background. It is called once.
func (s *Server) Start() error {
	s.startStop.Lock()
	defer s.startStop.Unlock()
	select {
	case <-s.stopping:
		return errors.New("server: already stopped")
	default:
	}
	if s.started {
		return errors.New("server: already started")
	}
	bound, err := s.bind()
	if err != nil {
		return err
	}
	s.started = true
	for _, l := range bound.metrics {
		s.serveHTTP(l)
	}
	if s.console != nil {
		s.accepts.Go(s.console.Run)
	}
	s.readiness.Go(s.followReadiness)
	s.readiness.Go(func() { s.usage.Run(s.stopping) })
	return nil
}

// Serve starts, serves until ctx ends or a listener fails, and drains for at
// most Config.DrainTimeout. It returns what failed, nil if ctx ended.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.Start(); err != nil {
		return err
	}
	var failure error
	select {
	case <-ctx.Done():
	case <-s.stopping:
	case failure = <-s.failed:
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	if err := s.Stop(drain); err != nil {
		s.log.WithError(err).Warnf("calls of clients were cut off at the stop, after %v", s.cfg.DrainTimeout)
	}
	return failure
}

// Stop drains and stops: new connections are refused, endless streams end
// with Unavailable, other calls finish until ctx ends, and are cut off then. It
// returns ctx's error if there was something to cut off. When it returns,
// nothing of the server calls the Backend any more. Every call of Stop returns
// when the first one has finished.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { s.stopErr = s.stop(ctx) })
	return s.stopErr
}

func (s *Server) stop(ctx context.Context) error {
	s.startStop.Lock()
	defer s.startStop.Unlock()
	close(s.stopping)
	s.readiness.Wait()
	var errs []error
	for _, m := range s.muxes {
		m.Close()
	}
	if f := s.facade.Load(); f != nil {
		errs = append(errs, s.drain(ctx, f))
	}
	if !s.started {
		s.cfg.sockets().close()
	}
	listener.CloseAll(s.bound.clients)
	listener.CloseAll(s.bound.http)
	for _, h := range s.https {
		if err := h.Shutdown(ctx); err != nil {
			h.Close()
			errs = append(errs, err)
		}
	}
	s.accepts.Wait()
	s.calls.stop(ctx)
	s.callLog.Close()
	if s.tracing != nil {
		s.tracing.Stop(ctx)
	}
	return errors.Join(errs...)
}

// drain ends the calls of clients, and then the servers. GOAWAY and the ends of
// streams go out together; a client that still comes back on its old connection
// is sent away again.
func (s *Server) drain(ctx context.Context, f *facade) error {
	f.health.Shutdown()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		f.grpc.GracefulStop()
		if s.web != nil {
			_ = s.web.Shutdown(ctx) // its error is ctx's end
		}
	}()
	s.live.endEndless(rpctypes.ErrGRPCStopped)
	var err error
	select {
	case <-drained:
	case <-ctx.Done():
		err = fmt.Errorf("server: calls cut off: %w", context.Cause(ctx))
	}
	f.grpc.Stop()
	if s.web != nil {
		s.web.Close()
	}
	<-drained
	f.overHTTP.Stop()
	f.loopback.close()
	f.services.Wait()
	return err
}
