package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/server/listener"
)

// sockets are those of the URLs: of clients, of HTTP alone, of metrics and health.
// Unless some are for HTTP alone, those of clients serve it, too.
type sockets struct{ clients, http, metrics []net.Listener }

func (c Config) sockets() sockets { return sockets{c.Listeners, c.HTTPListeners, c.MetricsListeners} }

func (b sockets) close() {
	listener.CloseAll(b.clients)
	listener.CloseAll(b.http)
	listener.CloseAll(b.metrics)
}

// bind binds what is not bound yet.
func (s *Server) bind() (bound sockets, err error) {
	bound = s.cfg.sockets()
	for _, of := range []struct {
		sockets *[]net.Listener
		listen  func([]string) ([]net.Listener, error)
		urls    []string
	}{
		{&bound.clients, s.cfg.Reuse.Listen, s.cfg.ClientURLs},
		{&bound.http, s.cfg.Reuse.ListenHTTP, s.cfg.ClientHTTPURLs},
		{&bound.metrics, s.cfg.Reuse.ListenMetrics, s.cfg.MetricsURLs},
	} {
		if *of.sockets != nil {
			continue
		}
		if *of.sockets, err = of.listen(of.urls); err != nil {
			bound.close()
			return sockets{}, err
		}
	}
	speaks := listener.GRPCAndHTTP
	if len(bound.http) > 0 {
		speaks = listener.GRPCOnly
	}
	for _, l := range bound.clients {
		s.muxes = append(s.muxes, s.newMux(l, speaks))
	}
	for _, l := range bound.http {
		s.muxes = append(s.muxes, s.newMux(l, listener.HTTPOnly))
	}
	s.bound = bound
	return bound, nil
}

func (s *Server) newMux(l net.Listener, speaks listener.Speaks) *listener.Mux {
	return listener.NewMux(l, speaks, s.connections.clients, s.tls, s.log)
}

// accept serves gRPC and HTTP on every client listener, or what it is for.
func (s *Server) accept(f *facade) {
	s.web = s.newHTTP(s.clientHandler(f), httpHeaderTimeout)
	s.connections.clients.OnClose(func(conn *listener.Conn) { f.sender.Ended(conn) })
	s.accepts.Go(f.loopback.serve)
	for _, m := range s.muxes {
		s.log.WithFields(logrus.Fields{
			"address": m.Addr().String(), "tls": m.Secure(),
			"serves": m.Speaks().String(),
			"name":   s.cfg.Name, "advertised": s.cfg.AdvertiseClientURLs,
			"connections": s.connections.clients.Most(),
		}).Info("serving etcd clients")
		s.accepts.Go(func() { s.report("clients", m.Addr(), m.Serve()) })
		if m.Speaks() != listener.HTTPOnly {
			s.accepts.Go(func() { s.report("clients", m.Addr(), f.grpc.Serve(m.GRPC())) })
		}
		if m.Speaks() != listener.GRPCOnly {
			s.accepts.Go(func() { s.report("clients", m.Addr(), s.web.Serve(m.HTTP())) })
		}
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
