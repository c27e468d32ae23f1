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

// pulseAfter is how long a connection must have been quiet to be asked.
const pulseAfter = 200 * time.Millisecond

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

// quiet says whether no caller has asked anything for a while. One that owes an
// answer to calls that were given up is asked again: nothing else would tell
// that it is back.
func (c *timedConn) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls) == 0 && time.Since(c.debt.last) >= pulseAfter
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

// Quiet returns the connection if no caller has asked it anything for a while.
func (s *Session) Quiet() (conn Conn, quiet bool) {
	c := s.connection()
	if c == nil || !c.quiet() {
		return nil, false
	}
	return c, true
}
