package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/websocket"
	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/pkg/v3/httputil"

	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/server/gateway"
)

// gatewayOldPath is where the gateway was in etcd 3.3, which etcd still takes.
const gatewayOldPath = "/v3beta/"

// endlessBody says whether a client may send for as long as it likes.
func endlessBody(path string) bool {
	if rest, old := strings.CutPrefix(path, gatewayOldPath); old {
		path = gateway.Path + rest
	}
	return gateway.EndlessBodies[path]
}

// clientHandler is what the client URLs serve over HTTP, as etcd's do: the JSON
// gateway, and all that the metrics URLs have.
func (s *Server) clientHandler(f *facade) http.Handler {
	mux := http.NewServeMux()
	if !s.cfg.NoGateway {
		json := gateway.New(f.loopback.conn, s.cfg.MaxRequestBytes+overheadBytes, f.sender.json)
		if s.cfg.TLS.ClientCertAuth {
			json = refuseNames(f.backend.AuthEnabled, json)
		}
		mux.Handle(gateway.Path, json)
	}
	mux.Handle("/", s.httpHandler())
	var overHTTP http.Handler
	if len(s.bound.http) == 0 {
		overHTTP = f.overHTTP
	}
	return &access{next: s.calls.counted(mux), grpc: overHTTP, origins: s.cfg.CORS, hosts: s.cfg.HostWhitelist, log: s.log}
}

// access is what each HTTP request on a client URL passes first.
type access struct {
	next    http.Handler
	grpc    http.Handler // gRPC over net/http; nil where HTTP alone is served
	origins []string
	hosts   []string // empty for all
	log     *logrus.Entry
	lines   throttle.Lines
}

func (a *access) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A client that could have spoken HTTP/1 too speaks gRPC after all.
	if a.grpc != nil && isGRPC(r) {
		a.grpc.ServeHTTP(w, r)
		return
	}
	if rest, old := strings.CutPrefix(r.URL.Path, gatewayOldPath); old {
		r.URL.Path = gateway.Path + rest
	}
	if r.TLS == nil && !a.hostAllowed(w, r) {
		return
	}
	origin := r.Header.Get("Origin")
	switch {
	case slices.Contains(a.origins, "*"):
		allowOrigin(w.Header(), "*")
	case origin != "" && slices.Contains(a.origins, origin):
		allowOrigin(w.Header(), origin)
	case origin != "" && websocket.IsWebSocketUpgrade(r):
		// Browsers leave it to the server to guard websockets.
		http.Error(w, "the page's origin is not allowed; see --cors", http.StatusForbidden)
		return
	}
	if r.Method == http.MethodOptions {
		return
	}
	a.next.ServeHTTP(w, r)
}

func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.Contains(r.Header.Get("Content-Type"), "application/grpc")
}

// unknownHost is what people read whose request was for a host that is not on the
// list.
const unknownHost = "zkine serves plain HTTP under no host called %q; name it in --host-whitelist, or use https, as a web page may have chosen the name"

// hostAllowed answers a request for a host that is not on the list. A web page whose
// host's name leads to this machine asks for that name. As in etcd, it is for HTTP
// without TLS, and the answer is 421: a certificate is not valid for such a name.
func (a *access) hostAllowed(w http.ResponseWriter, r *http.Request) bool {
	if len(a.hosts) == 0 || slices.Contains(a.hosts, "*") {
		return true
	}
	host := httputil.GetHostname(r)
	if slices.Contains(a.hosts, host) {
		return true
	}
	if left, ok := a.lines.Allow(""); ok {
		a.log.WithFields(logrus.Fields{"host": throttle.Cut(host), "client": r.RemoteAddr}).
			Warn("an HTTP request was refused: its host is not in --host-whitelist" + left)
	}
	http.Error(w, fmt.Sprintf(unknownHost, host), http.StatusMisdirectedRequest)
	return false
}

// allowOrigin writes etcd's CORS headers.
func allowOrigin(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Headers", "accept, content-type, authorization")
}
