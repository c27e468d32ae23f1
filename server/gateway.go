package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/zkine/zkine/server/gateway"
)

// gatewayOldPath is where the gateway was in etcd 3.3, which etcd still takes.
const gatewayOldPath = "/v3beta/"

// clientHandler is what the client URLs serve over HTTP, as etcd's do: the JSON
// gateway, and all that the metrics URLs have.
func (s *Server) clientHandler(f *facade) http.Handler {
	mux := http.NewServeMux()
	json := gateway.New(f.loopback.conn, s.cfg.MaxRequestBytes+overheadBytes, f.sender.json)
	if s.cfg.TLS.ClientCertAuth {
		json = refuseNames(f.backend.AuthEnabled, json)
	}
	mux.Handle(gateway.Path, json)
	mux.Handle("/", s.httpHandler())
	return &access{next: s.calls.counted(mux), grpc: f.overHTTP, origins: s.cfg.CORS}
}

// access is what each HTTP request on a client URL passes first.
type access struct {
	next    http.Handler
	grpc    http.Handler // gRPC over net/http
	origins []string
}

func (a *access) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A client that could have spoken HTTP/1 too speaks gRPC after all.
	if r.ProtoMajor == 2 && strings.Contains(r.Header.Get("Content-Type"), "application/grpc") {
		a.grpc.ServeHTTP(w, r)
		return
	}
	if rest, old := strings.CutPrefix(r.URL.Path, gatewayOldPath); old {
		r.URL.Path = gateway.Path + rest
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

// allowOrigin writes etcd's CORS headers.
func allowOrigin(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Headers", "accept, content-type, authorization")
}
