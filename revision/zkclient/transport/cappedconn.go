package transport

import (
	"net"
	"time"
)

// cappedConn bounds how long a read or a write may take, whatever deadline the
// client sets.
//
// It also spares the system what the client asks of it for each request: the
// client moves a deadline four times, which matters only once it is some way off.
type cappedConn struct {
	net.Conn
	limit       time.Duration
	read, write time.Time // deadlines as they were last set; each is one goroutine's at a time
}

func newCappedConn(conn net.Conn, limit time.Duration) *cappedConn {
	return &cappedConn{Conn: conn, limit: limit}
}

// deadlineSlack is by which part of the limit a deadline may be too early.
const deadlineSlack = 16

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
