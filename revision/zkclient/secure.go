package zkclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// ErrTLS says that a server was reached, and that there will be no TLS with it
// until a person changes something: a certificate is not accepted, here or
// there, or what listens does not speak TLS.
var ErrTLS = errors.New("no TLS connection")

// open connects to a server: TCP within dialTimeout, and TLS, if that is asked
// for, until ctx ends. A server that has just started is slow with its first
// handshakes, so that they have no bound of their own.
func (z *Ensemble) open(ctx context.Context, t target) (net.Conn, error) {
	conn, err := z.reach(ctx, t)
	if err != nil {
		return nil, err
	}
	return z.encrypt(ctx, conn, t)
}

// reach is open's first half, and encrypt its second, which closes the connection
// of a handshake that fails.
func (z *Ensemble) reach(ctx context.Context, t target) (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", t.address)
}

func (z *Ensemble) encrypt(ctx context.Context, conn net.Conn, t target) (net.Conn, error) {
	if z.TLS == nil {
		return conn, nil
	}
	secured := tls.Client(conn, z.TLS.Config(t.host))
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, z.tlsError(err, t)
	}
	return secured, nil
}

// askAgain is after how long a server that keeps silent is asked once more. A
// handshake costs a server that has just started much, which a second one would
// make slower still.
func (z *Ensemble) askAgain() time.Duration {
	if z.TLS != nil {
		return 4 * askAgain
	}
	return askAgain
}

// isAlert says whether the other side has ended TLS, and has said so. With TLS
// 1.3 a server judges the client's certificate after the client's side of the
// handshake is over, so that its refusal comes as the answer to the first read.
func isAlert(err error) bool {
	op := new(net.OpError)
	return errors.As(err, &op) && op.Op == "remote error"
}

// tlsError puts words to a handshake that failed. What the network did to it is
// not TLS's, and stays as it is.
func (z *Ensemble) tlsError(err error, t target) error {
	var (
		unknown  *tls.CertificateVerificationError
		noRecord tls.RecordHeaderError
	)
	switch {
	case isAlert(err):
		return fmt.Errorf("%w: the server says %w: it does not accept this zkine's certificate, or wants one; see --zookeeper-cert-file", ErrTLS, err)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: the server's certificate does not hold: %w; see --zookeeper-trusted-ca-file and --zookeeper-server-name (it was asked for as %q)",
			ErrTLS, unknown.Err, z.TLS.ServerName(t.host))
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the server closes the connection during the handshake; see that --zookeeper names its secureClientPort, and in its log that it could read its key and its authorities", ErrTLS)
	case errors.As(err, &noRecord):
		return fmt.Errorf("%w: what listens there does not speak TLS; name the servers' secureClientPort with --zookeeper, or leave the --zookeeper-…-file flags of TLS out", ErrTLS)
	}
	return err
}

// Server is one address of a server of an ensemble.
type Server struct {
	target
	z *Ensemble
}

// String is the server as people know it.
func (s Server) String() string { return s.label }

// Ask asks it with a four-letter word, over a connection as sessions have.
func (s Server) Ask(ctx context.Context, word string) (string, error) {
	return fourletter.AskBy(ctx, func(ctx context.Context) (net.Conn, error) { return s.z.open(ctx, s.target) }, word)
}

// Name is how it was configured: a host's name or address, without the port.
func (s Server) Name() string { return s.host }

// Alone is an ensemble that dials this address and no other, in the same way.
func (s Server) Alone() *Ensemble {
	_, port, err := net.SplitHostPort(s.address)
	server := s.address
	if err == nil {
		server = net.JoinHostPort(s.host, port)
	}
	lookup := func(context.Context, string) ([]string, error) {
		address, _, err := net.SplitHostPort(s.address)
		return []string{address}, err
	}
	return &Ensemble{Servers: []string{server}, Lookup: lookup, Timeout: s.z.Timeout, MaxRequest: s.z.MaxRequest,
		TLS: s.z.TLS, Credentials: s.z.Credentials, ACL: s.z.ACL, Log: s.z.Log}
}

// Certificate is the one that it shows; nil without TLS.
func (s Server) Certificate(ctx context.Context) (*x509.Certificate, error) {
	conn, err := s.z.open(ctx, s.target)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return nil, nil //nolint:nilnil // there is none
	}
	return secured.ConnectionState().PeerCertificates[0], nil
}

// Found are all addresses of all servers, as they are known by now. A name that
// cannot be looked up is left out.
func (z *Ensemble) Found(ctx context.Context) (all []Server) {
	seen := map[string]bool{}
	for _, server := range z.Servers {
		targets, _, _ := z.lookUp(ctx, server)
		for _, t := range targets {
			if !seen[t.address] {
				seen[t.address] = true
				all = append(all, Server{t, z})
			}
		}
	}
	return all
}
