package zkclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkine/zkine/revision/zkclient/measured"
)

// A server can fall silent without closing its connections: it hangs, its
// machine is gone, a link is cut, or it has lost its leader and has not noticed
// yet. The session timeout bounds how long that can go on, but it is long, so
// that a pause of the whole ensemble costs no sessions. So a connection on which
// a call waits for longer than the silence limit gets a rival: the servers
// are raced for another session (race.go), which takes a quorum write. If that
// succeeds while the old one is still silent, the rival is verified and takes
// over, and what waits on the old connection is sent again. If the whole
// ensemble is silent, no rival succeeds and nothing is lost; if it speaks again,
// the rival is not needed.
//
// The race is run on connections of its own, never on the silent one: ZooKeeper
// lets reads wait behind a pending write of the same session, so that a session
// that writes cannot tell when a server can serve.
//
// Each takeover doubles the limit, up to the session timeout: a call that is
// slow by itself, a large one on a thin line, must not be cut off again and again.

const (
	// minSilence and maxSilence bound the shortest silence limit, which is a
	// tenth of the session timeout.
	minSilence = 250 * time.Millisecond
	maxSilence = 500 * time.Millisecond
	// rivalCheck is how often it is looked whether a rival is still needed.
	rivalCheck = 20 * time.Millisecond
	// calm is how long a connection must have served, in units of the silence
	// limit, for that to be the shortest again.
	calm = 20
)

func shortestSilence(timeout time.Duration) time.Duration {
	return min(max(timeout/10, minSilence), maxSilence)
}

// raiseSilenceLimit doubles the limit after a takeover.
func (s *Session) raiseSilenceLimit(conn *timedConn) {
	s.silenceLimit = min(2*s.silenceLimit, max(conn.SessionTimeout(), shortestSilence(conn.SessionTimeout())))
}

// watchdog waits until a connection is over. It returns a verified one that took
// its place, or nil when there is none yet.
func (s *Session) watchdog(ctx context.Context, conn *timedConn) *timedConn {
	began := time.Now()
	shortest := shortestSilence(conn.SessionTimeout())
	s.silenceLimit = max(s.silenceLimit, shortest)
	watch := time.NewTimer(s.silenceLimit)
	defer watch.Stop()
	pause := redialMin // after a rival that could not be used
	for {
		select {
		case <-conn.Done():
			s.lost(conn)
			return nil
		case <-ctx.Done():
			s.publish(nil, context.Cause(ctx))
			conn.Close()
			return nil
		case <-s.dead: // another goroutine has found why
			conn.Close()
			return nil
		case <-watch.C:
		}
		if time.Since(began) > calm*s.silenceLimit {
			s.silenceLimit = shortest
		}
		silence := conn.silence()
		if silence < s.silenceLimit {
			watch.Reset(s.silenceLimit - silence)
			continue
		}
		s.out.begin(fmt.Errorf("%s keeps silent", serverOf(conn)))
		rival, err := s.tryFailover(ctx, conn)
		switch {
		case err == nil:
			how := serverOf(rival) + " answers, and takes over"
			if serverOf(rival) == serverOf(conn) {
				how = "a new connection to it takes over"
			}
			s.out.end("ZooKeeper serves at "+serverOf(rival), fmt.Sprintf("%s was silent for %v; %s", serverOf(conn), silence.Round(time.Millisecond), how))
			s.raiseSilenceLimit(conn)
			s.Measured.Note(measured.TakenOver)
			s.closing.Go(conn.Close)
			return rival
		case errors.Is(err, errSpeaks):
			s.out.forgive(serverOf(conn))
		case s.Fatal(err):
			s.Fail(err)
			conn.Close()
			return nil
		case errors.Is(err, ErrDisplaced):
			s.closing.Go(conn.Close) // its successor takes back what was displaced
		default:
			watch.Reset(s.refused(err, pause))
			pause = min(2*pause, redialMax)
			continue
		}
		pause = redialMin
		watch.Reset(rivalCheck)
	}
}

// lost tells every caller that there is no connection any more.
func (s *Session) lost(conn *timedConn) {
	err := fmt.Errorf("the ZooKeeper session at %s was lost", serverOf(conn))
	if refusal := refusalOf(conn); refusal != nil {
		err = fmt.Errorf("%w: %w", err, refusal)
	}
	s.out.begin(err)
	s.Measured.Note(measured.Lost)
	s.publish(nil, err)
}

// errSpeaks says that a silent connection has answered after all.
var errSpeaks = errors.New("the silent connection answers")

// tryFailover makes the rival. The connection may end before that: then the
// rival is its successor, as any other. If it answers before the rival is there,
// it stays.
func (s *Session) tryFailover(ctx context.Context, conn *timedConn) (rival *timedConn, err error) {
	rivals := s.dial(ctx)
	defer func() { s.stopDial(rivals) }()
	check := time.NewTicker(rivalCheck)
	defer check.Stop()
	over, heard := conn.Done(), conn.replies()
	var dialed Conn
	for dialed == nil {
		select {
		case <-over:
			s.lost(conn)
			over = nil
		case <-check.C:
			// A call that its caller has given up ends the wait, but is no answer.
			if over != nil && conn.replies() > heard && conn.silence() < s.silenceLimit {
				return nil, errSpeaks
			}
		case d := <-rivals.dialed:
			rivals = dialing{}
			if d.err != nil {
				return nil, d.err
			}
			dialed = d.conn
		}
	}
	verified := make(chan struct{})
	s.closing.Go(func() {
		defer close(verified)
		for replaced := false; err == nil && dialed != nil; replaced = true {
			rival = newTimedConn(dialed, s.Measured)
			if dialed, err = s.admit(ctx, rival); err != nil && replaced && !s.Fatal(err) {
				// One that was given up may have displaced what this one holds.
				err = fmt.Errorf("%w: %w", ErrDisplaced, err)
			}
		}
	})
	select {
	case <-verified:
	case <-over:
		s.lost(conn)
		<-verified
	}
	if err != nil {
		return nil, err
	}
	return rival, nil
}

var errRetired = errors.New("the connection to ZooKeeper was given up")

// Retire gives a connection up that misbehaves, so that the next Get waits for
// another one. It does not wait until the server has heard of that, which a
// silent one never does.
func (s *Session) Retire(conn Conn) {
	s.mu.Lock()
	if s.current == conn {
		s.current, s.lastErr = nil, errRetired
	}
	s.mu.Unlock()
	s.closing.Go(conn.Close)
}

// dialing is a Dial under way; the zero value is none.
type dialing struct {
	dialed <-chan dialed // gets one
	cancel context.CancelCauseFunc
}

type dialed struct {
	conn Conn
	err  error
}

// dial starts a Dial, which stopDial ends.
func (s *Session) dial(ctx context.Context) dialing {
	ctx, cancel := context.WithCancelCause(ctx)
	ch := make(chan dialed, 1)
	s.closing.Go(func() {
		defer cancel(nil)
		conn, err := s.Dialer.Dial(ctx)
		ch <- dialed{conn, err}
	})
	return dialing{ch, cancel}
}

// stopDial gives a Dial up; a connection that it makes all the same is closed.
func (s *Session) stopDial(d dialing) {
	if d.dialed == nil {
		return
	}
	d.cancel(errSpeaks)
	s.closing.Go(func() {
		if made := <-d.dialed; made.conn != nil {
			made.conn.Close()
		}
	})
}

// serverOf names a connection's server.
func serverOf(conn *timedConn) string {
	if c, ok := conn.conn.(interface{ Server() string }); ok {
		return c.Server()
	}
	return "ZooKeeper"
}
