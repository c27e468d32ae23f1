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
	electiongw "go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb/gw"
	lockgw "go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb/gw"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
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
var endlessBodies = map[string]bool{"/v3/watch": true, "/v3/lease/keepalive": true}

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
	return &access{next: s.calls.counted(mux), grpc: f.overHTTP, origins: s.cfg.CORS}
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

// socketLog logs what goes wrong with websockets, in the library's words alone:
// behind them come errors with URLs and with texts that clients have written.
// What goes right is said with the contents of messages. Neither belongs into a
// log.
type socketLog struct{ log *logrus.Entry }

func (l socketLog) Warnln(args ...any) {
	entry := l.log
	for _, arg := range args {
		if err, is := arg.(*websocket.CloseError); is {
			entry = entry.WithField("code", err.Code)
		}
	}
	if len(args) > 0 {
		entry.Debug(strings.TrimSuffix(fmt.Sprint(args[0]), ":"))
	}
}

func (socketLog) Debugln(...any) {}

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
		r.URL.Path = gatewayPath + rest
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
