package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/v3rpc"
)

// Server serves etcd's API from a Backend. See the package comment for its
// life: New, Start, Attach, Stop; or Serve, which is Start, wait, Stop.
type Server struct {
	cfg     Config
	log     *logrus.Entry
	metrics *metrics
	live    liveCalls
	slow    *slowLimit

	// facade is nil until Attach, and then stays.
	facade atomic.Pointer[facade]
	// attached wakes the readiness loop.
	attached chan struct{}
	// serves is closed when clients are served for the first time.
	serves     chan struct{}
	servesOnce sync.Once

	clients     []net.Listener
	connections *connections
	muxes       []*listener.Mux
	tls         *listener.TLSSource // nil without https:// and unixs:// URLs
	// web serves HTTP on the client URLs, once clients are served.
	web   *http.Server
	https []*http.Server
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
		slow:     &slowLimit{log: cfg.Log},
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
	if cfg.Backend != nil {
		s.Attach(cfg.Backend, cfg.MemberID)
	}
	return s, nil
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
	metricsListeners, err := s.bind()
	if err != nil {
		return err
	}
	s.started = true
	for _, l := range metricsListeners {
		s.serveHTTP(l)
	}
	s.readiness.Go(s.followReadiness)
	return nil
}

func (s *Server) bind() (metricsListeners []net.Listener, err error) {
	s.clients, metricsListeners = s.cfg.Listeners, s.cfg.MetricsListeners
	if s.clients == nil {
		if s.clients, err = listener.Listen(s.cfg.ClientURLs); err != nil {
			listener.CloseAll(metricsListeners)
			return nil, err
		}
	}
	if metricsListeners == nil {
		if metricsListeners, err = listener.ListenMetrics(s.cfg.MetricsURLs); err != nil {
			listener.CloseAll(s.clients)
			return nil, err
		}
	}
	for _, l := range s.clients {
		s.muxes = append(s.muxes, listener.NewMux(l, s.connections.clients, s.tls, s.log))
	}
	return metricsListeners, nil
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
		s.log.WithError(err).Warn("not every client call finished before the stop")
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
		listener.CloseAll(s.cfg.Listeners)
		listener.CloseAll(s.cfg.MetricsListeners)
	}
	listener.CloseAll(s.clients)
	for _, h := range s.https {
		if err := h.Shutdown(ctx); err != nil {
			h.Close()
			errs = append(errs, err)
		}
	}
	s.accepts.Wait()
	s.calls.stop(ctx)
	s.slow.close()
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

// accept serves gRPC and HTTP on every client listener.
func (s *Server) accept(f *facade) {
	s.web = s.newHTTP(s.clientHandler(f), httpHeaderTimeout)
	s.connections.clients.OnClose(func(conn *listener.Conn) { f.sender.Ended(conn) })
	s.accepts.Go(f.loopback.serve)
	for _, m := range s.muxes {
		s.log.WithFields(logrus.Fields{
			"address": m.Addr().String(), "tls": m.Secure(),
			"name": s.cfg.Name, "advertised": s.cfg.AdvertiseClientURLs,
			"connections": s.connections.clients.Most(),
		}).Info("serving etcd clients")
		s.accepts.Go(func() { s.report("clients", m.Addr(), m.Serve()) })
		s.accepts.Go(func() { s.report("clients", m.Addr(), f.grpc.Serve(m.GRPC())) })
		s.accepts.Go(func() { s.report("clients", m.Addr(), s.web.Serve(m.HTTP())) })
	}
}

// report fails the server if one of its accept loops ended before the stop.
func (s *Server) report(what string, addr net.Addr, err error) {
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) && !errors.Is(err, http.ErrServerClosed) {
		s.fail(fmt.Errorf("serving %s on %s: %w", what, addr, err))
	}
}

// fail reports an error that ends Serve; only the first counts.
func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}
