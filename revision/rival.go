package revision

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A server can fall silent without closing its connections: it hangs, its
// machine is gone, a link is cut, or it has lost its leader and has not noticed
// yet. The session timeout bounds how long that can go on, but it is long, so
// that a pause of the whole ensemble costs no sessions. So a connection on which
// a call waits for longer than the session's patience gets a rival: the servers
// are raced for another session (race.go), which takes a quorum write. If that
// succeeds while the old one is still silent, the rival is greeted and takes
// over, and what waits on the old connection is sent again. If the whole
// ensemble is silent, no rival succeeds and nothing is lost; if it speaks again,
// the rival is not needed.
//
// The race is run on connections of its own, never on the silent one: ZooKeeper
// lets reads wait behind a pending write of the same session, so that a session
// that writes cannot tell when a server can serve.
//
// Each takeover doubles the patience, up to the session timeout: a call that is
// slow by itself, a large one on a thin line, must not be cut off for ever.

const (
	// minPatience and maxPatience bound a tenth of the session timeout.
	minPatience = 250 * time.Millisecond
	maxPatience = 500 * time.Millisecond
	// rivalCheck is how often it is looked whether a rival is still needed.
	rivalCheck = 20 * time.Millisecond
	// calm is how long a connection must have served, in units of the patience,
	// for that to be the shortest again.
	calm = 20
)

func shortestPatience(timeout time.Duration) time.Duration {
	return min(max(timeout/10, minPatience), maxPatience)
}

// impatient doubles the patience after a takeover.
func (s *session) impatient(conn *timedConn) {
	s.patience = min(2*s.patience, max(conn.SessionTimeout(), shortestPatience(conn.SessionTimeout())))
}

// attend waits until a connection is over. It returns a verified one that took
// its place, or nil when there is none yet.
func (s *session) attend(ctx context.Context, conn *timedConn) *timedConn {
	began := time.Now()
	shortest := shortestPatience(conn.SessionTimeout())
	s.patience = max(s.patience, shortest)
	watch := time.NewTimer(s.patience)
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
		case <-s.dead: // somebody else has found why
			conn.Close()
			return nil
		case <-watch.C:
		}
		if time.Since(began) > calm*s.patience {
			s.patience = shortest
		}
		silence := conn.silence()
		if silence < s.patience {
			watch.Reset(s.patience - silence)
			continue
		}
		s.out.begin(fmt.Errorf("%s keeps silent", serverOf(conn)))
		rival, err := s.challenge(ctx, conn)
		switch {
		case err == nil:
			how := serverOf(rival) + " answers, and takes over"
			if serverOf(rival) == serverOf(conn) {
				how = "a new connection to it takes over"
			}
			s.out.end("ZooKeeper serves at "+serverOf(rival), fmt.Sprintf("%s was silent for %v; %s", serverOf(conn), silence.Round(time.Millisecond), how))
			s.impatient(conn)
			go conn.Close()
			return rival
		case errors.Is(err, errSpeaks):
			s.out.forgive(serverOf(conn))
		case final(err):
			s.fail(err)
			conn.Close()
			return nil
		case errors.Is(err, errUnlisted):
			go conn.Close() // the next session puts the member's znode up
		default:
			watch.Reset(s.refused(err, pause))
			pause = min(2*pause, redialMax)
			continue
		}
		pause = redialMin
		watch.Reset(rivalCheck)
	}
}

// lost tells everyone that there is no connection any more.
func (s *session) lost(conn *timedConn) {
	err := fmt.Errorf("the ZooKeeper session at %s was lost", serverOf(conn))
	s.out.begin(err)
	s.publish(nil, err)
}

// errSpeaks says that a silent connection has answered after all.
var errSpeaks = errors.New("the silent connection answers")

// challenge makes the rival. The connection may end meanwhile: then the rival is
// its successor, as any other. If it answers before the rival is there, it stays.
func (s *session) challenge(ctx context.Context, conn *timedConn) (rival *timedConn, err error) {
	rivals := s.dial(ctx)
	defer func() { rivals.stop() }()
	check := time.NewTicker(rivalCheck)
	defer check.Stop()
	over, heard := conn.Done(), conn.answers()
	var dialed Conn
	for dialed == nil {
		select {
		case <-over:
			s.lost(conn)
			over = nil
		case <-check.C:
			// A call that its caller has given up ends the wait, but is no answer.
			if over != nil && conn.answers() > heard && conn.silence() < s.patience {
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
	greeted := make(chan struct{})
	go func() {
		defer close(greeted)
		for replaced := false; err == nil && dialed != nil; replaced = true {
			rival = newTimedConn(dialed)
			if dialed, err = s.admit(ctx, rival); err != nil && replaced && !final(err) {
				// One that was given up may have taken the member's znode already.
				err = fmt.Errorf("%w: %w", errUnlisted, err)
			}
		}
	}()
	select {
	case <-greeted:
	case <-over:
		s.lost(conn)
		<-greeted
	}
	if err != nil {
		return nil, err
	}
	return rival, nil
}

// dialing is a Dial under way.
type dialing struct {
	dialed <-chan dialed // gets one
	cancel context.CancelCauseFunc
}

type dialed struct {
	conn Conn
	err  error
}

func (d dialed) drop() {
	if d.conn != nil {
		go d.conn.Close()
	}
}

// dial starts a Dial, which stop ends.
func (s *session) dial(ctx context.Context) dialing {
	ctx, cancel := context.WithCancelCause(ctx)
	ch := make(chan dialed, 1)
	go func() {
		defer cancel(nil)
		conn, err := s.dialer.Dial(ctx)
		ch <- dialed{conn, err}
	}()
	return dialing{ch, cancel}
}

// stop gives a Dial up; a session that it makes all the same is closed.
func (d dialing) stop() {
	if d.dialed == nil {
		return
	}
	d.cancel(errSpeaks)
	go func() {
		made := <-d.dialed
		made.drop()
	}()
}

// serverOf names a connection's server.
func serverOf(conn *timedConn) string {
	if c, ok := conn.Conn.(interface{ Server() string }); ok {
		return c.Server()
	}
	return "ZooKeeper"
}
