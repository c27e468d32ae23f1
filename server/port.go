package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/throttle"
)

const (
	// firstBytesTimeout is how long a connection may be silent before it says
	// what it speaks; gRPC gives it as long.
	firstBytesTimeout = 2 * time.Minute
	// handshakeTimeout bounds a TLS handshake, as in etcd.
	handshakeTimeout = 10 * time.Second
	// maxAcceptPause is how long accepting rests after an error, such as
	// too many open files.
	maxAcceptPause = time.Second
	// hintPeriod is how long the same mistake of clients is not logged again.
	hintPeriod = 10 * time.Second
	// maxHints bounds the mistakes that are remembered, since clients can make
	// texts up.
	maxHints = 64
)

// preface begins each HTTP/2 connection, RFC 9113 section 3.4; it is no
// request of HTTP/1.
const preface = "PRI * HTTP/2.0"

// recordTypeHandshake is the first byte of a client that begins with TLS.
const recordTypeHandshake = 0x16

// port is the socket of a client URL, on which gRPC and HTTP are served side by
// side. It decides once for each connection, so that gRPC's run on grpc-go's own
// transport and nothing stands in their way afterwards:
//
//	plaintext, HTTP/2 preface                 gRPC, and nothing else, as in etcd
//	plaintext, anything else                  HTTP/1
//	TLS, the client offers h2 only (ALPN)     gRPC: that is how gRPC clients do
//	TLS, anything else                        HTTP/1 and HTTP/2, see httpGRPC
//
// Goroutines: one a connection, until it is handed on, which is bounded by the
// timeouts above; all are over when serve returns.
type port struct {
	socket net.Listener
	tls    *tlsSource // nil for plaintext
	log    *logrus.Entry
	hints  throttle.Lines

	grpc, http *queue

	mu        sync.Mutex
	closed    bool
	undecided map[net.Conn]struct{}
	routes    sync.WaitGroup
}

func newPort(socket net.Listener, source *tlsSource, log *logrus.Entry) *port {
	return &port{
		socket: socket, tls: source, log: log,
		hints: throttle.Lines{Period: hintPeriod, MaxKeys: maxHints},
		grpc:  newQueue(socket.Addr()), http: newQueue(socket.Addr()),
		undecided: make(map[net.Conn]struct{}),
	}
}

// serve accepts connections until the port is closed, which is no error. It
// returns when the last connection has been handed on or closed; for that the
// servers must have closed their queues.
func (p *port) serve() error {
	defer p.routes.Wait()
	pause := time.Duration(0)
	for {
		conn, err := p.socket.Accept()
		if err == nil {
			pause = 0
			p.take(conn)
			continue
		}
		if p.isClosed() {
			return nil
		}
		var passing interface{ Temporary() bool }
		if !errors.As(err, &passing) || !passing.Temporary() {
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), maxAcceptPause)
		p.log.WithError(err).Warn("cannot accept connections for a moment")
		time.Sleep(pause)
	}
}

// close stops accepting, and closes the connections that are not handed on.
func (p *port) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.socket.Close()
	for c := range p.undecided {
		c.Close()
	}
}

func (p *port) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// take begins to find out where conn belongs.
func (p *port) take(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		conn.Close()
		return
	}
	p.undecided[conn] = struct{}{}
	p.routes.Go(func() {
		decided, to := p.route(conn)
		p.mu.Lock()
		delete(p.undecided, conn)
		p.mu.Unlock()
		if to == nil || !to.put(decided) {
			conn.Close()
		}
	})
}

// route returns the connection as the server that it belongs to is to see it;
// no queue if it belongs to none.
func (p *port) route(conn net.Conn) (net.Conn, *queue) {
	if p.tls != nil {
		return p.routeTLS(conn)
	}
	conn.SetReadDeadline(time.Now().Add(firstBytesTimeout))
	head := make([]byte, len(preface))
	for n := 0; n < len(head); {
		m, err := conn.Read(head[n:])
		n += m
		switch {
		case n > 0 && head[0] == recordTypeHandshake:
			p.hint(conn, "a client speaks TLS to a plaintext URL; give it http:// as the endpoint, or listen on https://", nil)
			return nil, nil
		case string(head[:n]) != preface[:n]:
			return resume(conn, head[:n]), p.http
		case err != nil:
			return nil, nil // it said nothing
		}
	}
	return resume(conn, head), p.grpc
}

func (p *port) routeTLS(conn net.Conn) (net.Conn, *queue) {
	config := p.tls.config().Clone()
	var offered []string
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered = hello.SupportedProtos
		return nil, nil
	}
	secure := tls.Server(conn, config)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		p.refuse(conn, err)
		return nil, nil
	}
	if secure.ConnectionState().NegotiatedProtocol == "h2" && !slices.Contains(offered, "http/1.1") {
		return secure, p.grpc
	}
	return secure, p.http
}

// refuse says why a handshake failed, to people, and to a client that speaks
// plaintext HTTP.
func (p *port) refuse(conn net.Conn, err error) {
	var notTLS tls.RecordHeaderError
	switch {
	case errors.Is(err, io.EOF) || p.isClosed():
		// a probe, or the end
	case errors.As(err, &notTLS) && notTLS.Conn != nil:
		p.hint(conn, "a client speaks plaintext to a TLS URL; give it https:// as the endpoint, and the certificates", nil)
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	default:
		p.hint(conn, "a TLS handshake failed", err)
	}
}

// hint logs what a client does wrong, not more often than is of use: such
// clients come back at once.
func (p *port) hint(conn net.Conn, text string, err error) {
	if _, ok := p.hints.Allow(text + fmt.Sprint(err)); !ok {
		return
	}
	e := p.log.WithField("client", conn.RemoteAddr().String())
	if err != nil {
		e = e.WithError(err)
	}
	e.Warn(text)
}

// queue is the listener of a server that gets its connections from a port.
type queue struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newQueue(addr net.Addr) *queue {
	return &queue{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// put hands a connection over, unless the queue is closed.
func (q *queue) put(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.done:
		return false
	}
}

func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

func (q *queue) Addr() net.Addr { return q.addr }

// resumed is a connection of which some bytes were read already.
type resumed struct {
	net.Conn
	head []byte
}

func resume(c net.Conn, head []byte) net.Conn {
	c.SetReadDeadline(time.Time{})
	return &resumed{c, head}
}

func (r *resumed) Read(b []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(b, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}
