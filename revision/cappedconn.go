package revision

import (
	"encoding/binary"
	"net"
	"sync/atomic"
	"time"
)

// cappedConn bounds how long a read or a write may take, whatever deadline the
// client sets, and notes the session timeout that the server grants.
type cappedConn struct {
	net.Conn
	limit   time.Duration
	granted *atomic.Int64
	head    []byte // the first bytes read: length, protocol version, timeout
}

// handshakeHead is the length of the frame's length, the protocol version and
// the granted timeout, at the front of the server's first answer.
const handshakeHead = 12

func (c *cappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if len(c.head) < handshakeHead {
		c.head = append(c.head, p[:n]...)
		if len(c.head) >= handshakeHead {
			c.granted.Store(int64(int32(binary.BigEndian.Uint32(c.head[8:12]))))
		}
	}
	return n, err
}

func (c *cappedConn) SetReadDeadline(t time.Time) error  { return c.Conn.SetReadDeadline(c.cap(t)) }
func (c *cappedConn) SetWriteDeadline(t time.Time) error { return c.Conn.SetWriteDeadline(c.cap(t)) }

func (c *cappedConn) cap(t time.Time) time.Time {
	latest := time.Now().Add(c.limit)
	if t.IsZero() || t.After(latest) {
		return latest
	}
	return t
}
