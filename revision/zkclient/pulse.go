package zkclient

import "time"

// Whether ZooKeeper answers is known at once only while it is asked something.
// So an idle zkine asks it for a small thing now and then: the pulse. What it
// owes an answer for is counted from the first question after its last answer:
// a call that its caller has given up is still unanswered, and one that waits
// while others are answered waits for nothing worse than its turn.
//
// A session's answers come in the order of its questions, so a pulse behind a
// write that finds no quorum is not answered either.

// pulseAfter is how long a connection must have been quiet to be asked. It is no part
// of other loops' ticks, of which some ask, too: what two loops do at one moment would
// be in an order of Go's, and simulations are to repeat.
const pulseAfter = 247_013 * time.Microsecond

// debt is since when a server owes an answer.
type debt struct {
	since time.Time // zero if it owes none
	last  time.Time // when it was asked last
}

func (d *debt) asked(now time.Time) {
	d.last = now
	if d.since.IsZero() {
		d.since = now
	}
}

// replied notes an answer; so many other calls wait for theirs.
func (d *debt) replied(now time.Time, waiting int) {
	d.since = time.Time{}
	if waiting > 0 {
		d.since = now
	}
}

// owing is for how long the server has owed an answer without giving any.
func (c *timedConn) owing() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.debt.since.IsZero() {
		return 0
	}
	return time.Since(c.debt.since)
}

// quietIn is after how long no caller will have asked anything for a while, if none
// does: 0 or less if that is so. One that owes an answer to calls that were given up is
// asked again: nothing else would tell that it is back.
func (c *timedConn) quietIn() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.calls) > 0 {
		return pulseAfter
	}
	return pulseAfter - time.Since(c.debt.last)
}

// connection is the one in use, nil if there is none.
func (s *Session) connection() *timedConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, _ := s.current.(*timedConn)
	return conn
}

// Up returns the verified connection if there is one, without waiting.
func (s *Session) Up() (conn Conn, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current, s.current != nil && s.failed == nil
}

// Owing is for how long the server has owed an answer without giving any; 0 if
// it owes none, and without a connection.
func (s *Session) Owing() time.Duration {
	if conn := s.connection(); conn != nil {
		return conn.owing()
	}
	return 0
}

// Quiet returns the connection if no caller has asked it anything for a while, and after
// how long that will be so again if it is asked once now; else when it will be so if none
// asks. Without a connection it returns neither.
func (s *Session) Quiet() (conn Conn, in time.Duration) {
	c := s.connection()
	if c == nil {
		return nil, 0
	}
	if in := c.quietIn(); in > 0 {
		return nil, in
	}
	return c, pulseAfter
}
