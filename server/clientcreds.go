package server

import (
	"context"
	"net"
	"net/http"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/server/calllog"
	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/usage"
)

// Credentials returns how to find what a client shows of itself in the context
// of a gRPC call: its token, and, if client certificates are demanded of all
// (etcd's --client-cert-auth), the common name of its own.
func Credentials(clientCertAuth bool) func(context.Context) backend.Credentials {
	return func(ctx context.Context) backend.Credentials {
		var c backend.Credentials
		for _, key := range [...]string{rpctypes.TokenFieldNameGRPC, rpctypes.TokenFieldNameSwagger} {
			// FromIncomingContext would copy all of the metadata.
			if v := metadata.ValueFromIncomingContext(ctx, key); len(v) > 0 {
				c.Token, c.HasToken = strings.TrimPrefix(v[0], "Bearer "), true
				return c
			}
		}
		if clientCertAuth {
			c.CommonName = commonName(ctx)
		}
		return c
	}
}

// gatewayHeader is in the metadata of what a JSON gateway passes on. Then the
// certificate is the gateway's, and says nothing about the caller.
const gatewayHeader = "grpcgateway-accept"

func throughGateway(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, gatewayHeader)) > 0
}

// refuseNames refuses JSON from clients whose certificates have a common name, in
// etcd's words, while authentication is enabled. With --client-cert-auth the name
// stands for a user elsewhere, and clients might expect that it does here.
func refuseNames(authEnabled func() bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && certificateName(r.TLS) != "" && authEnabled() {
			http.Error(w, "CommonName of client sending a request against gateway will be ignored and not used as expected",
				http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// caller is who makes a call, for what is counted of it. It is asked once the call was
// handled, when its user is known. conn keeps the last one: a connection's are the same
// but for the user.
func (g *gate) caller(ctx context.Context, conn *listener.Conn) *usage.Caller {
	user := ""
	if seen, ok := ctx.Value(backend.IdentifiedKey).(*backend.Identified); ok {
		user = seen.User()
	}
	if conn == nil {
		p := peerOf(ctx)
		p.User = user
		return g.usage.Caller(p)
	}
	if last, ok := conn.Attached().(*usage.Caller); ok && last.Is(user, firstOf(ctx, userAgentKey)) {
		return last
	}
	p := peerOf(ctx)
	p.User = user
	c := g.usage.Caller(p)
	conn.Attach(c)
	return c
}

// clientOf is who makes a call, for what is told of it.
func clientOf(ctx context.Context) calllog.Client {
	p := peerOf(ctx)
	if seen, ok := ctx.Value(backend.IdentifiedKey).(*backend.Identified); ok {
		p.User = seen.User()
	}
	return calllog.Client(p)
}

// nameOf is what may be told of a key, or of a range of keys.
func (s *Server) nameOf(key, end []byte) calllog.Name {
	prefix, resource, namespace := s.usage.Name(key, end)
	return calllog.Name{Prefix: prefix, Resource: resource, Namespace: namespace}
}

const (
	// userAgentKey is the metadata in which gRPC has what a client calls itself, and
	// gatewayAgentKey that in which the gateway passes on what its client does.
	userAgentKey    = "user-agent"
	gatewayAgentKey = "grpcgateway-user-agent"
	// originAddressKey and originAgentKey are the metadata by which the loopback says
	// for which client a call is, as commonNameKey does.
	originAddressKey = "zkine-origin-address"
	originAgentKey   = "zkine-origin-user-agent"
)

// ownAddress is that of what the server asks itself, for no client.
const ownAddress = "zkine"

// peerOf is what is known of the client of a gRPC call, but for its user.
func peerOf(ctx context.Context) usage.Peer {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return usage.Peer{Address: ownAddress}
	}
	if _, own := p.AuthInfo.(loopbackInfo); own {
		origin := usage.Peer{Address: firstOf(ctx, originAddressKey), UserAgent: firstOf(ctx, originAgentKey), Certificate: commonName(ctx)}
		if origin.Address == "" {
			origin.Address = ownAddress
		}
		return origin
	}
	return usage.Peer{Address: addressOf(p.Addr), Certificate: commonName(ctx), UserAgent: firstOf(ctx, userAgentKey)}
}

// addressOf is a client's address without its port.
func addressOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return (&net.IPAddr{IP: tcp.IP, Zone: tcp.Zone}).String()
	}
	if host, _, err := net.SplitHostPort(a.String()); err == nil {
		return host
	}
	return "unix"
}

// firstOf is the first value of a call's metadata.
func firstOf(ctx context.Context, key string) string {
	if v := metadata.ValueFromIncomingContext(ctx, key); len(v) > 0 {
		return v[0]
	}
	return ""
}
