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

	"github.com/sirupsen/logrus"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// writeStall is how long a client may take nothing of what is sent to it until its
// connection is ended. Until then, what waits for it takes memory.
const writeStall = time.Minute

// writeSlack is how long the deadline of a write serves for others.
const writeSlack = 10 * time.Second

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
	// deadlineSet is when Write has last set one, by the clock of of; 0 for never.
	deadlineSet atomic.Int64
	// attached is the server's.
	attached atomic.Value

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
// writeStall, or a little longer; a slow one may take as long as it needs.
func (c *Conn) Write(b []byte) (written int, err error) {
	for !c.ownDeadline.Load() {
		c.allowTime()
		n, err := c.Conn.Write(b[written:])
		written += n
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		c.deadlineSet.Store(0)
	}
	n, err := c.Conn.Write(b[written:])
	return written + n, err
}

// allowTime has a write fail after writeStall, and writeSlack at most. A deadline costs
// more than the rest of a small write, so that it is rarely set.
func (c *Conn) allowTime() {
	now := c.of.now()
	if set := c.deadlineSet.Load(); set == 0 || now-set > int64(writeSlack) {
		c.deadlineSet.Store(max(now, 1))
		c.Conn.SetWriteDeadline(time.Now().Add(writeStall + writeSlack))
	}
}

// SetWriteDeadline implements net.Conn. The deadline stands in for writeStall.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.ownDeadline.Store(!t.IsZero())
	c.deadlineSet.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.ownDeadline.Store(!t.IsZero())
	c.deadlineSet.Store(0)
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
	if c.of.closed != nil {
		c.of.closed(c)
	}
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

// Attach keeps something of the server's with the connection, always of one type, in
// place of what it kept.
func (c *Conn) Attach(v any) { c.attached.Store(v) }

// Attached is what was attached last, nil for nothing.
func (c *Conn) Attached() any { return c.attached.Load() }

// Stalled ends a connection whose client does not take large answers, while others have
// no room for theirs. The bytes are those that wait for it.
func (c *Conn) Stalled(bytes int64) {
	c.of.mu.Lock()
	if !c.closed {
		c.of.ended.Stalled++
		if left, ok := c.of.lines.Allow("stalled"); ok {
			c.of.log.WithFields(logrus.Fields{"client": c.RemoteAddr().String(), "bytes": bytes}).
				Warn("a connection was ended: its client did not read its answers while others had no room for theirs" + left)
		}
	}
	c.of.mu.Unlock()
	c.Close()
}

// TrackHTTP has a server say which connections are in use: those of which a handler
// runs, as it does for as long as a websocket lasts. One that sends the headers of a
// request, or was refused for them, is not in use.
func TrackHTTP(s *http.Server) {
	connContext, next := s.ConnContext, s.Handler
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if connContext != nil {
			ctx = connContext(ctx, conn)
		}
		return context.WithValue(ctx, countedKey{}, under(conn))
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(countedKey{}).(*Conn)
		conn.BeginCall()
		defer conn.EndCall()
		next.ServeHTTP(w, r)
	})
}

// countedKey is the key of a request's connection in its context.
type countedKey struct{}

// OfRequest is the connection of an HTTP request; nil if it came on none that counts.
func OfRequest(ctx context.Context) *Conn {
	conn, _ := ctx.Value(countedKey{}).(*Conn)
	return conn
}

// under finds the connection that counts, under TLS too; nil if there is none.
func under(conn net.Conn) *Conn {
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
