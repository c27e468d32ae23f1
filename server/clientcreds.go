package server

import (
	"context"
	"net/http"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/backend"
)

// Credentials returns how to find what a client shows of itself in the context
// of a gRPC call: its token, and, if client certificates are demanded of all
// (etcd's --client-cert-auth), the common name of its own.
func Credentials(clientCertAuth bool) func(context.Context) backend.Credentials {
	return func(ctx context.Context) backend.Credentials {
		var c backend.Credentials
		md, _ := metadata.FromIncomingContext(ctx)
		for _, key := range []string{rpctypes.TokenFieldNameGRPC, rpctypes.TokenFieldNameSwagger} {
			if v := md.Get(key); len(v) > 0 {
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
	md, _ := metadata.FromIncomingContext(ctx)
	return len(md.Get(gatewayHeader)) > 0
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
