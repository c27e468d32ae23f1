package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/websocket"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/sirupsen/logrus"
	"github.com/tmc/grpc-websocket-proxy/wsproxy"
	"go.etcd.io/etcd/api/v3/etcdserverpb/gw"
	"go.etcd.io/etcd/pkg/v3/httputil"
	electiongw "go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb/gw"
	lockgw "go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb/gw"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/zkine/zkine/revision/throttle"
)

// gatewayPath is where the JSON gateway is; gatewayOldPath is a name that it
// had in etcd 3.3, which etcd still takes.
const (
	gatewayPath    = "/v3/"
	gatewayOldPath = "/v3beta/"
)

// bodyFactor bounds a JSON body by the largest request of gRPC: base64 makes a
// third more of it, and the rest is room.
const bodyFactor = 4

// endlessBodies are the paths on which a client may send for as long as it
// likes.
var endlessBodies = map[string]bool{
	gatewayPath + "watch": true, gatewayPath + "lease/keepalive": true,
	gatewayOldPath + "watch": true, gatewayOldPath + "lease/keepalive": true,
}

// clientHandler is what the client URLs serve over HTTP, as etcd's do: the JSON
// gateway, and all that the metrics URLs have.
func (s *Server) clientHandler(f *facade) http.Handler {
	mux := http.NewServeMux()
	gateway := s.gateway(f.loopback.conn)
	if s.cfg.TLS.ClientCertAuth {
		gateway = refuseNames(f.backend.AuthEnabled, gateway)
	}
	mux.Handle(gatewayPath, gateway)
	mux.Handle("/", s.httpHandler())
	return &access{next: s.calls.counted(mux), grpc: f.overHTTP, origins: s.cfg.CORS, hosts: s.cfg.HostWhitelist, log: s.log}
}

// gateway translates JSON to gRPC and back, with the same library and options
// as etcd (embed/serve.go), so that the forms are the same. Streams work over
// websockets as well.
func (s *Server) gateway(conn *grpc.ClientConn) http.Handler {
	mux := runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.HTTPBodyMarshaler{
		Marshaler: &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
		},
	}))
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		gw.RegisterKVHandler, gw.RegisterWatchHandler, gw.RegisterLeaseHandler, gw.RegisterClusterHandler,
		gw.RegisterMaintenanceHandler, gw.RegisterAuthHandler, lockgw.RegisterLockHandler, electiongw.RegisterElectionHandler,
	} {
		if err := register(context.Background(), mux, conn); err != nil {
			panic(err) // the paths are generated, and fit
		}
	}
	post := func(_, out *http.Request) *http.Request {
		out.Method = http.MethodPost // a websocket begins with GET
		return out
	}
	sockets := wsproxy.WebsocketProxy(mux, wsproxy.WithRequestMutator(post),
		wsproxy.WithMaxRespBodyBufferSize(0x7fffffff), wsproxy.WithLogger(socketLog{s.log}))
	limit := int64(bodyFactor * (s.cfg.MaxRequestBytes + overheadBytes))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !endlessBodies[r.URL.Path] {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		sockets.ServeHTTP(w, r)
	})
}

// socketLog logs what goes wrong with websockets. What goes right is said with
// the contents of messages, which do not belong into a log.
type socketLog struct{ log *logrus.Entry }

func (l socketLog) Warnln(args ...any) { l.log.Debug(throttle.Cut(fmt.Sprintln(args...))) }
func (socketLog) Debugln(...any)       {}

// access is what each HTTP request on a client URL passes first.
type access struct {
	next    http.Handler
	grpc    http.Handler // gRPC over net/http
	origins []string
	hosts   []string // empty for all
	log     *logrus.Entry
	lines   throttle.Lines
}

func (a *access) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A client that could have spoken HTTP/1 too speaks gRPC after all.
	if isGRPC(r) {
		a.grpc.ServeHTTP(w, r)
		return
	}
	if rest, old := strings.CutPrefix(r.URL.Path, gatewayOldPath); old {
		r.URL.Path = gatewayPath + rest
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

// unknownHost is etcd's answer to a request for a host that is not on the list.
const unknownHost = `
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist %q

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).
`

// hostAllowed answers a request for a host that is not on the list. A web page whose
// host's name leads to this machine asks for that name. As in etcd, it is for HTTP
// without TLS: a certificate is not valid for such a name.
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
