package server

import (
	"encoding/json"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/zkine/zkine/server/listener"
)

// newHTTP makes an HTTP server, which speaks HTTP/2 too where ALPN chose it.
func (s *Server) newHTTP(h http.Handler, headerTimeout time.Duration) *http.Server {
	server := &http.Server{
		Handler:     h,
		ErrorLog:    stdlog.New(io.Discard, "", 0), // what clients do wrong
		BaseContext: s.calls.baseContext,
		ConnContext: withConn,
	}
	s.cfg.Limits.http(server, headerTimeout)
	return server
}

// serveHTTP serves one metrics URL in the background.
func (s *Server) serveHTTP(l net.Listener) {
	h := s.newHTTP(s.calls.counted(s.metricsHandler(l)), metricsHeaderTimeout)
	s.https = append(s.https, h)
	secure := listener.IsSecure(l)
	if l = s.connections.metrics.Listen(l); secure {
		l = s.tls.Listen(l)
	}
	s.log.WithField("address", l.Addr().String()).Info("serving metrics and health")
	s.accepts.Go(func() { s.report("metrics", l.Addr(), h.Serve(l)) })
}

// httpHandler is what the metrics URLs serve, and the client URLs too.
func (s *Server) httpHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.InstrumentMetricHandler(s.cfg.Registry, promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{})))
	mux.HandleFunc("/version", getOnly(s.serveVersion))
	s.handleHealth(mux)
	if s.cfg.EnablePprof {
		handlePprof(mux)
	}
	return mux
}

// handlePprof serves Go's profiles where etcd has them, with --enable-pprof.
func handlePprof(mux *http.ServeMux) {
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

// serveVersion answers as etcd's /version does; Patroni reads it.
func (s *Server) serveVersion(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, encodeJSON(struct {
		Server  string `json:"etcdserver"`
		Cluster string `json:"etcdcluster"`
		Storage string `json:"storage"`
	}{s.cfg.Version, s.cfg.minorVersion(), s.cfg.minorVersion()}))
}

func encodeJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // only structs of strings come here
	}
	return string(text)
}

func getOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		h(w, r)
	}
}
