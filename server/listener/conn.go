package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// writeStall is how long a client may take nothing of what is sent to it until its
// connection is ended. Until then, what waits for it takes memory.
const writeStall = time.Minute

// Conn is an accepted connection, which counts in Connections until it is closed.
// Its methods about calls may be called on nil, for calls that came on no
// connection of a client's.
type Conn struct {
	net.Conn
	of *Connections
	// head holds bytes that were read to find out what the connection speaks. They
	// are still to be read. Only one reads at a time.
	head []byte

	// calls is how many calls are under way. idleSince is since when none is, in
	// nanoseconds of the clock of of.
	calls     atomic.Int32
	idleSince atomic.Int64
	// called says that there was a call.
	called atomic.Bool
	// ownDeadline says that the caller of Write has set a deadline of its own.
	ownDeadline atomic.Bool

	// Guarded by of.mu.
	closed bool
	silent *time.Timer // nil but for Connections.awaitCall
}

// resume gives back what was read, and takes off the deadline of reading.
func (c *Conn) resume(head []byte) *Conn {
	c.SetReadDeadline(time.Time{})
	c.head = head
	return c
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(b, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// Write implements net.Conn. It fails once the client has taken nothing for
// writeStall; a slow one may take as long as it needs.
func (c *Conn) Write(b []byte) (written int, err error) {
	if c.ownDeadline.Load() {
		return c.Conn.Write(b)
	}
	for {
		c.Conn.SetWriteDeadline(time.Now().Add(writeStall))
		n, err := c.Conn.Write(b[written:])
		written += n
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) || c.ownDeadline.Load() {
			return written, err
		}
	}
}

// SetWriteDeadline implements net.Conn. The deadline stands in for writeStall.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.ownDeadline.Store(!t.IsZero())
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.ownDeadline.Store(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

// CloseWrite has the client read what was sent, and then the end. Without it, what
// a client sends after a refusal could take the refusal from it.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.of.release(c)
	return c.Conn.Close()
}

// BeginCall notes that a call is under way. Such a connection is not ended to make
// room for others.
func (c *Conn) BeginCall() {
	if c == nil {
		return
	}
	c.calls.Add(1)
	if !c.called.Load() {
		c.called.Store(true)
	}
}

// EndCall notes the end of what BeginCall has noted.
func (c *Conn) EndCall() {
	if c != nil && c.calls.Add(-1) == 0 {
		c.idleSince.Store(c.of.now())
	}
}

// follow is for http.Server.ConnState. A connection that was taken over by a
// websocket stays in use until it is closed.
func follow(conn net.Conn, state http.ConnState) {
	c := connOf(conn)
	if c == nil {
		return
	}
	switch state {
	case http.StateActive:
		c.calls.Store(1)
		c.called.Store(true)
	case http.StateIdle:
		c.calls.Store(0)
		c.idleSince.Store(c.of.now())
	}
}

// TrackHTTP has a server say which connections are in use.
func TrackHTTP(s *http.Server) { s.ConnState = follow }

// connOf finds the connection that counts; nil if there is none.
func connOf(conn net.Conn) *Conn {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, _ := conn.(*Conn)
	return c
}

// ConnInfo is what gRPC knows of a connection from a Mux.
type ConnInfo struct {
	// AuthInfo is credentials.TLSInfo for a connection with TLS.
	credentials.AuthInfo
	conn *Conn
}

// ConnOf is the connection on which a gRPC call came; nil if it came on none that
// counts.
func ConnOf(ctx context.Context) *Conn {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(ConnInfo); ok {
			return info.conn
		}
	}
	return nil
}
