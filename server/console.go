package server

import (
	"net"
	"net/http"
	"slices"

	"github.com/zkine/zkine/server/console"
	"github.com/zkine/zkine/server/listener"
)

// ConsoleMode says on which metrics URLs the console is. The zero value is ConsoleOff.
type ConsoleMode string

// The modes of the console.
const (
	ConsoleOff ConsoleMode = "off"
	// ConsoleAuto is for URLs that no other machine reaches: of loopback addresses, and unix://.
	ConsoleAuto ConsoleMode = "auto"
	ConsoleOn   ConsoleMode = "on"
)

// newConsole makes the console, which Start has take samples; nil if there is none.
func (s *Server) newConsole() *console.Console {
	if s.cfg.Console != ConsoleAuto && s.cfg.Console != ConsoleOn {
		return nil
	}
	return console.New(console.Config{
		Name: s.cfg.Name, Version: s.cfg.Product, Store: s.consoleStore, Gatherer: s.cfg.Registry,
		Hosts: s.cfg.HostWhitelist, Stopping: s.stopping,
	})
}

// consoleStore is the store for the console, which is one of its clients.
func (s *Server) consoleStore() (console.Store, error) {
	f := s.facade.Load()
	if f == nil {
		return console.Store{}, s.starting()
	}
	if !f.accepting.Load() {
		return console.Store{}, errNotAccepting
	}
	return console.Store{Conn: f.loopback.conn, MemberID: f.memberID, AuthEnabled: f.backend.AuthEnabled}, nil
}

// metricsHandler is what a metrics URL serves: the console, too, if it is to be there.
func (s *Server) metricsHandler(l net.Listener) http.Handler {
	if s.console == nil || s.cfg.Console == ConsoleAuto && !isLocal(l) {
		return s.httpHandler()
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.httpHandler())
	mux.Handle(console.Path, s.console.Handler(console.Door{Closed: s.closed(l)}))
	mux.Handle("GET /{$}", http.RedirectHandler(console.Path, http.StatusFound))
	s.log.WithField("url", listener.BoundURL(l)+console.Path).Info("serving the console")
	return mux
}

// closed says why keys are not to be read through a metrics URL; empty if they may be. Its clients would have to show
// less there than on every client URL: no certificate, or no right to open a socket's file.
func (s *Server) closed(l net.Listener) string {
	asked := func(l net.Listener) bool { return listener.IsSecure(l) && s.cfg.TLS.AsksForCertificates() }
	clients := slices.Concat(s.bound.clients, s.bound.http)
	switch {
	case !asked(l) && !slices.ContainsFunc(clients, func(c net.Listener) bool { return !asked(c) }):
		return "The client URLs ask for a certificate, and this URL does not: no keys are shown here. Serve it with TLS (--listen-metrics-urls=https://…)."
	case !isUnix(l) && !slices.ContainsFunc(clients, func(c net.Listener) bool { return !isUnix(c) }):
		return "Clients are served on unix sockets only, which not everyone may open: no keys are shown here. Serve it on one, too (--listen-metrics-urls=unix://…)."
	}
	return ""
}

func isUnix(l net.Listener) bool {
	_, is := l.Addr().(*net.UnixAddr)
	return is
}

// isLocal says whether no other machine reaches a socket.
func isLocal(l net.Listener) bool {
	a, isTCP := l.Addr().(*net.TCPAddr)
	return isUnix(l) || isTCP && a.IP.IsLoopback()
}
