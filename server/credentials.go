package server

import (
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// handshaken are the credentials of connections that come from a port, which
// has done the handshake: what is left is to tell gRPC about it, so that a call
// knows its client's certificate (see commonName).
type handshaken struct {
	credentials.TransportCredentials
}

func newHandshaken() credentials.TransportCredentials {
	return handshaken{insecure.NewCredentials()}
}

func (h handshaken) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return h.TransportCredentials.ServerHandshake(conn)
	}
	return conn, credentials.TLSInfo{
		State:          secure.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

func (h handshaken) Clone() credentials.TransportCredentials { return h }
