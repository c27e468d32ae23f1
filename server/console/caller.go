package console

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// caller is who makes a request: the store, and the context of calls that are made for it.
type caller struct {
	Store
	ctx context.Context
}

func (c *caller) kv() pb.KVClient                   { return pb.NewKVClient(c.Conn) }
func (c *caller) maintenance() pb.MaintenanceClient { return pb.NewMaintenanceClient(c.Conn) }

// userAgent is what the console's calls are counted as.
const userAgent = "zkine-console"

// handler answers with what is sent as JSON.
type handler func(r *http.Request, c *caller) (any, error)

// refusal is an error that the console itself has, with its HTTP status.
type refusal struct {
	code int
	text string
}

// Error implements error.
func (r refusal) Error() string { return r.text }

// api serves a handler: its turn, its caller, its answer.
func (c *Console) api(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, end, err := c.guard.turn(r.Context())
		if err != nil {
			fail(w, err)
			return
		}
		defer end()
		// Who sends nothing, or takes nothing, does not keep its turn. Every connection of net/http's has deadlines.
		control := http.NewResponseController(w)
		if r.ContentLength != 0 {
			_ = control.SetReadDeadline(time.Now().Add(readTime))
		}
		from, err := c.identify(ctx, r)
		if err != nil {
			fail(w, err)
			return
		}
		answer, err := h(r, from)
		_ = control.SetWriteDeadline(time.Now().Add(writeTime))
		if err != nil {
			fail(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the client may be gone
	})
}

// identify takes what a request shows of its caller: the token of a login, else a certificate.
func (c *Console) identify(ctx context.Context, r *http.Request) (*caller, error) {
	store, err := c.cfg.Store()
	if err != nil {
		if strings.HasSuffix(r.URL.Path, "/about") {
			return &caller{ctx: ctx}, nil
		}
		return nil, refusal{http.StatusServiceUnavailable, err.Error()}
	}
	// What is counted by client is counted for the browser.
	from := &peer.Peer{Addr: &net.UnixAddr{Net: "unix"}}
	if address, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		from.Addr = net.TCPAddrFromAddrPort(address)
	}
	if r.TLS != nil {
		from.AuthInfo = credentials.TLSInfo{State: *r.TLS}
	}
	ctx = metadata.NewIncomingContext(peer.NewContext(ctx, from), metadata.Pairs("user-agent", userAgent))
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, token)
	}
	return &caller{Store: store, ctx: ctx}, nil
}

// forUsers serves users alone, where users count: what etcd's Status is for.
func (c *Console) forUsers(h handler) handler {
	return func(r *http.Request, from *caller) (any, error) {
		if from.AuthEnabled() {
			if _, err := from.maintenance().Status(from.ctx, &pb.StatusRequest{}); err != nil {
				return nil, err
			}
		}
		return h(r, from)
	}
}

// fail tells an error, as JSON with its HTTP status. What etcd says is for its clients, and has no values.
func fail(w http.ResponseWriter, err error) {
	var own refusal
	code, text := http.StatusInternalServerError, err.Error()
	if errors.As(err, &own) {
		code = own.code
	} else if s, ok := status.FromError(err); ok {
		code, text = codeOf(s), strings.TrimPrefix(s.Message(), "etcdserver: ")
	} else if errors.Is(err, context.DeadlineExceeded) {
		code = http.StatusGatewayTimeout
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text}) // the client may be gone
}

// codeOf is the HTTP status for an error of etcd's. 401 is for what a login mends.
func codeOf(s *status.Status) int {
	switch text := s.Message(); {
	case s.Code() == codes.Unauthenticated,
		text == rpctypes.ErrorDesc(rpctypes.ErrGRPCUserEmpty), text == rpctypes.ErrorDesc(rpctypes.ErrGRPCAuthOldRevision):
		return http.StatusUnauthorized
	case s.Code() == codes.PermissionDenied, text == rpctypes.ErrorDesc(rpctypes.ErrGRPCAuthFailed):
		return http.StatusForbidden
	case s.Code() == codes.OutOfRange:
		return http.StatusGone
	case s.Code() == codes.InvalidArgument, s.Code() == codes.FailedPrecondition:
		return http.StatusBadRequest
	case s.Code() == codes.Unavailable, s.Code() == codes.ResourceExhausted:
		return http.StatusServiceUnavailable
	case s.Code() == codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
