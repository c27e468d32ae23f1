package listener

import (
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// handshaken are the credentials of connections that come from a Mux, which has
// done the handshake.
type handshaken struct {
	credentials.TransportCredentials
}

// TransportCredentials are for the gRPC server that a Mux hands connections to.
// They tell gRPC of the handshake that the Mux has done, so that a call's peer
// shows its client's certificate.
func TransportCredentials() credentials.TransportCredentials {
	return handshaken{insecure.NewCredentials()}
}

// ServerHandshake implements credentials.TransportCredentials.
func (h handshaken) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		_, info, err := h.TransportCredentials.ServerHandshake(conn)
		return conn, ConnInfo{info, under(conn)}, err
	}
	return conn, ConnInfo{credentials.TLSInfo{
		State:          secure.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, under(conn)}, nil
}

func (h handshaken) Clone() credentials.TransportCredentials { return h }
