package gateway

import (
	"context"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.etcd.io/etcd/api/v3/etcdserverpb/gw"
	electiongw "go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb/gw"
	lockgw "go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb/gw"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Path is where the gateway is.
const Path = "/v3/"

// jsonFactor bounds a JSON message by the largest request of gRPC: base64 makes a
// third more of it, and the rest is room for names and blanks.
const jsonFactor = 4

// EndlessBodies are the paths on which a client may send for as long as it
// likes.
var EndlessBodies = map[string]bool{Path + "watch": true, Path + "lease/keepalive": true}

// Room makes room for an answer that a client may take its time to read; release gives
// it back. Its error is gRPC's, and ends the call.
type Room func(ctx context.Context, answer proto.Message) (release func(), err error)

// New makes a gateway to the gRPC server at the other end of conn. maxBytes is the
// largest message of gRPC that the server takes.
func New(conn *grpc.ClientConn, maxBytes int, room Room) http.Handler {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.HTTPBodyMarshaler{
			Marshaler: &marshaler{JSONPb: runtime.JSONPb{
				MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true},
				UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
			}},
		}),
		runtime.WithIncomingHeaderMatcher(passedOn),
		runtime.WithErrorHandler(answerError),
		runtime.WithStreamErrorHandler(streamError),
		runtime.WithForwardResponseOption(func(ctx context.Context, _ http.ResponseWriter, answer proto.Message) error {
			return makeRoom(ctx, room, answer)
		}),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		gw.RegisterKVHandler, gw.RegisterWatchHandler, gw.RegisterLeaseHandler, gw.RegisterClusterHandler,
		gw.RegisterMaintenanceHandler, gw.RegisterAuthHandler, lockgw.RegisterLockHandler, electiongw.RegisterElectionHandler,
	} {
		if err := register(context.Background(), mux, conn); err != nil {
			panic(err) // the paths are generated, and fit
		}
	}
	limit := int64(jsonFactor * maxBytes)
	reading := &reading{max: maxReading}
	return sockets{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !EndlessBodies[r.URL.Path] {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		r, done := bounded(w, r, limit, reading)
		defer done()
		mux.ServeHTTP(w, r)
	})}
}

// passedOn says under which name a header goes on: those of W3C's traces under their own,
// and the others as the gateway has them.
func passedOn(header string) (string, bool) {
	switch header {
	case "Traceparent", "Tracestate":
		return header, true
	}
	return runtime.DefaultHeaderMatcher(header)
}

// makeRoom waits for room for a request's next answer, in JSON. The one before it has
// been written.
func makeRoom(ctx context.Context, room Room, answer proto.Message) error {
	b, ok := ctx.Value(bodyKey{}).(*body)
	if !ok || answer == nil {
		return nil
	}
	b.freeAnswer()
	release, err := room(ctx, answer)
	if err != nil {
		return b.refuse(err)
	}
	b.answered = release
	return nil
}

// answerError answers a call that failed: with what was wrong with its message, if
// that is why.
func answerError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	if refusal := refused(ctx); refusal != nil {
		err = refusal
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
}

// streamError is answerError for a stream.
func streamError(ctx context.Context, err error) *status.Status {
	if refusal := refused(ctx); refusal != nil {
		err = refusal
	}
	return status.Convert(err)
}
