package zkclient

import (
	"bufio"
	"encoding/binary"
	"net"
	"sync/atomic"
	"time"
)

// cappedConn bounds how long a read or a write may take, whatever deadline the
// client sets, and notes the session timeout that the server grants.
//
// It also spares the system what the client asks of it for each request: the
// client reads a reply in two steps, which a buffer makes one, and moves a
// deadline four times, which matters only once it is some way off.
type cappedConn struct {
	net.Conn
	limit   time.Duration
	granted *atomic.Int64
	head    []byte // the first bytes read: length, protocol version, timeout

	reader      *bufio.Reader // Read's
	read, write time.Time     // deadlines as they were last set; each is one goroutine's at a time
}

func newCappedConn(conn net.Conn, limit time.Duration, granted *atomic.Int64) *cappedConn {
	return &cappedConn{Conn: conn, limit: limit, granted: granted, reader: bufio.NewReaderSize(conn, readBuffer)}
}

const (
	// handshakeHead is the length of the frame's length, the protocol version
	// and the granted timeout, at the front of the server's first answer.
	handshakeHead = 12
	// readBuffer holds the replies to many appends; large data goes past it.
	readBuffer = 4 << 10
	// deadlineSlack is by which part of the limit a deadline may be too early.
	deadlineSlack = 16
)

func (c *cappedConn) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	if len(c.head) < handshakeHead {
		c.head = append(c.head, p[:n]...)
		if len(c.head) >= handshakeHead {
			c.granted.Store(int64(int32(binary.BigEndian.Uint32(c.head[8:12]))))
		}
	}
	return n, err
}

func (c *cappedConn) SetReadDeadline(t time.Time) error {
	return c.set(&c.read, t, c.Conn.SetReadDeadline)
}

func (c *cappedConn) SetWriteDeadline(t time.Time) error {
	return c.set(&c.write, t, c.Conn.SetWriteDeadline)
}

// set moves a deadline to t or to the limit, unless it stands there already or
// a little before. Before each read and write the client sets one; that it has
// none in between makes no difference.
func (c *cappedConn) set(last *time.Time, t time.Time, move func(time.Time) error) error {
	if t.IsZero() && !last.IsZero() {
		return nil
	}
	if latest := time.Now().Add(c.limit); t.IsZero() || t.After(latest) {
		t = latest
	}
	if early := t.Sub(*last); early >= 0 && early < c.limit/deadlineSlack {
		return nil
	}
	*last = t
	return move(t)
}
