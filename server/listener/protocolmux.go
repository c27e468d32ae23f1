package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/throttle"
)

const (
	// firstBytesTimeout is how long a connection may be silent before it says
	// what it speaks.
	firstBytesTimeout = 30 * time.Second
	// handshakeTimeout bounds a TLS handshake, as in etcd.
	handshakeTimeout = 10 * time.Second
	// maxAcceptPause is how long accepting rests after an error, such as
	// too many open files.
	maxAcceptPause = time.Second
	// hintPeriod is how long the same mistake of clients is not logged again.
	hintPeriod = 10 * time.Second
	// maxHints bounds the mistakes that are remembered, since clients can make
	// texts up.
	maxHints = 16
)

// preface begins each HTTP/2 connection, RFC 9113 section 3.4; it is no
// request of HTTP/1.
const preface = "PRI * HTTP/2.0"

// recordTypeHandshake is the first byte of a client that begins with TLS.
const recordTypeHandshake = 0x16

// Mux is the socket of a client URL, on which gRPC and HTTP are served side by
// side. It decides once for each connection, so that gRPC's run on grpc-go's own
// transport and nothing stands in their way afterwards:
//
//	plaintext, HTTP/2 preface                 gRPC, and nothing else, as in etcd
//	plaintext, anything else                  HTTP/1
//	TLS, the client offers h2 only (ALPN)     gRPC: that is how gRPC clients do
//	TLS, anything else                        HTTP/1 and HTTP/2
//
// One that serves only one of both has all connections belong there, or refuses them.
//
// Goroutines: one a connection, until it is handed on, which is bounded by the
// timeouts above. All have ended when Serve returns.
type Mux struct {
	socket net.Listener
	conns  *Connections
	tls    *TLSSource // nil for plaintext
	speaks Speaks
	log    *logrus.Entry
	hints  throttle.Lines

	grpc, http *queue

	mu        sync.Mutex
	closed    bool
	undecided map[*Conn]struct{}
	routes    sync.WaitGroup
}

// NewMux makes a Mux on a socket that Listen has bound, which it owns from then
// on. Its connections count in conns. source is used if the socket's URL says TLS,
// and may be nil otherwise.
func NewMux(socket net.Listener, speaks Speaks, conns *Connections, source *TLSSource, log *logrus.Entry) *Mux {
	m := &Mux{
		speaks: speaks,
		socket: socket, conns: conns, log: log,
		hints: throttle.Lines{Period: hintPeriod, MaxKeys: maxHints},
		grpc:  newQueue(socket.Addr()), http: newQueue(socket.Addr()),
		undecided: make(map[*Conn]struct{}),
	}
	if IsSecure(socket) {
		m.tls = source
	}
	return m
}

// GRPC is the listener of the server for connections that speak gRPC. Those with
// TLS are *tls.Conn, with the handshake done: see TransportCredentials.
func (m *Mux) GRPC() net.Listener { return m.grpc }

// HTTP is the listener of the server for connections that speak HTTP.
func (m *Mux) HTTP() net.Listener { return m.http }

// Addr is the address of the socket.
func (m *Mux) Addr() net.Addr { return m.socket.Addr() }

// Speaks is what is served.
func (m *Mux) Speaks() Speaks { return m.speaks }

// Secure says whether the connections have TLS.
func (m *Mux) Secure() bool { return m.tls != nil }

// Serve accepts connections until Close, which is no error. It returns when the
// last connection has been handed on or closed; for that the servers must have
// closed GRPC and HTTP.
func (m *Mux) Serve() error {
	defer m.routes.Wait()
	pause := time.Duration(0)
	for {
		conn, err := m.socket.Accept()
		if err == nil {
			pause = 0
			m.take(conn)
			continue
		}
		if m.isClosed() {
			return nil
		}
		var passing interface{ Temporary() bool }
		if !errors.As(err, &passing) || !passing.Temporary() {
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), maxAcceptPause)
		if left, ok := m.hints.Allow("accept"); ok {
			m.log.WithError(err).Warn("cannot accept connections for a moment" + left)
		}
		time.Sleep(pause)
	}
}

// Close stops accepting, and closes the connections that are not handed on.
func (m *Mux) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.socket.Close()
	for c := range m.undecided {
		c.Close()
	}
}

func (m *Mux) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// take begins to find out where a new connection belongs, if there is room for it.
func (m *Mux) take(socket net.Conn) {
	conn := m.conns.admit(socket)
	if conn == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		conn.Close()
		return
	}
	m.undecided[conn] = struct{}{}
	m.routes.Go(func() {
		decided, to := m.route(conn)
		m.mu.Lock()
		delete(m.undecided, conn)
		m.mu.Unlock()
		m.conns.decide(conn)
		if to == m.grpc {
			m.conns.awaitCall(conn)
		}
		if to == nil || !to.put(decided) {
			conn.Close()
		}
	})
}

// route returns the connection as the server that it belongs to is to see it;
// no queue if it belongs to none.
func (m *Mux) route(conn *Conn) (net.Conn, *queue) {
	if m.tls != nil {
		return m.routeTLS(conn)
	}
	conn.SetReadDeadline(time.Now().Add(firstBytesTimeout))
	head := make([]byte, len(preface))
	for n := 0; n < len(head); {
		read, err := conn.Read(head[n:])
		n += read
		switch {
		case n > 0 && head[0] == recordTypeHandshake:
			m.hint(conn, "a client speaks TLS to a plaintext URL; give it http:// as the endpoint, or listen on https://", nil)
			return nil, nil
		case string(head[:n]) != preface[:n]:
			if m.speaks == GRPCOnly {
				m.hint(conn, httpRefused, nil)
				answerHTTP(conn, "This URL serves gRPC alone, see --listen-client-http-urls.")
				return nil, nil
			}
			return conn.resume(head[:n]), m.http
		case err != nil:
			return nil, nil // it said nothing
		}
	}
	if m.speaks == HTTPOnly {
		m.hint(conn, grpcRefused, nil)
		return nil, nil
	}
	return conn.resume(head), m.grpc
}

const (
	grpcRefused = "a client speaks gRPC to a URL that serves HTTP alone; give it one of --listen-client-urls"
	httpRefused = "a client speaks HTTP to a URL that serves gRPC alone; give it one of --listen-client-http-urls"
)

// answerHTTP tells a client of HTTP/1 what it does wrong. What it sends beyond that
// is read, and dropped, as far as it comes within a second: a close with something
// unread takes the answer from it.
func answerHTTP(conn *Conn, text string) {
	conn.SetDeadline(time.Now().Add(time.Second))
	io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\n"+text+"\n")
	if conn.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, conn, maxUnread) // its end is one, whatever it is
	}
}

// maxUnread is how many bytes of a refused client are read.
const maxUnread = 64 << 10

func (m *Mux) routeTLS(conn *Conn) (net.Conn, *queue) {
	config := m.tls.Config().Clone()
	if m.speaks == GRPCOnly {
		config.NextProtos = []string{"h2"}
	}
	var offered []string
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered = hello.SupportedProtos
		return nil, nil
	}
	secure := tls.Server(conn, config)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		m.refuse(conn, err)
		return nil, nil
	}
	h2 := secure.ConnectionState().NegotiatedProtocol == "h2"
	if m.speaks == GRPCOnly && !h2 {
		m.hint(conn, httpRefused, nil)
		return nil, nil
	}
	if m.speaks == GRPCOnly || m.speaks == GRPCAndHTTP && h2 && !slices.Contains(offered, "http/1.1") {
		return secure, m.grpc
	}
	return secure, m.http
}

// refuse says why a handshake failed, to people, and to a client that speaks
// plaintext HTTP.
func (m *Mux) refuse(conn *Conn, err error) {
	var notTLS tls.RecordHeaderError
	switch {
	case errors.Is(err, io.EOF) || m.isClosed():
		// a probe, or the end
	case errors.As(err, &notTLS) && notTLS.Conn != nil:
		m.hint(conn, "a client speaks plaintext to a TLS URL; give it https:// as the endpoint, and the certificates", nil)
		answerHTTP(conn, "Client sent an HTTP request to an HTTPS server.")
	default:
		m.hint(conn, "a TLS handshake failed", handshakeError(err))
	}
}

// hint logs what a client does wrong, not more often than is of use: such
// clients come back at once. The error may hold what the client has said, such as
// the names in its certificate.
func (m *Mux) hint(conn net.Conn, text string, err error) {
	why := ""
	if err != nil {
		why = throttle.Cut(err.Error())
	}
	left, ok := m.hints.Allow(text + why)
	if !ok {
		return
	}
	e := m.log.WithField("client", conn.RemoteAddr().String())
	if err != nil {
		e = e.WithError(errors.New(why))
	}
	e.Warn(text + left)
}
