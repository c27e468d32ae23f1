package revision

import (
	"context"
	"errors"
	"time"
)

// A server can fall silent without closing its connections: it hangs, its
// machine is gone, a link is cut, or it has lost its leader and has not noticed
// yet. The session timeout bounds how long that can go on, but it is long, so
// that a pause of the whole ensemble costs no sessions. So a connection on which
// a call waits for longer than the session's patience gets a rival: another
// server is dialed and greeted, which takes a quorum write. If that succeeds
// the rival takes over, and what waits on the old connection is sent again. If
// the whole ensemble is silent, no rival succeeds and nothing is lost.
//
// Each takeover doubles the patience, up to the session timeout: a call that is
// slow by itself, a large one on a thin line, must not be cut off for ever.

const (
	attendEvery = 100 * time.Millisecond
	// minPatience and maxPatience bound a tenth of the session timeout.
	minPatience = 500 * time.Millisecond
	maxPatience = time.Second
	// calm is how long a connection must have served, in units of the patience,
	// for that to be the shortest again.
	calm = 20
)

func shortestPatience(timeout time.Duration) time.Duration {
	return min(max(timeout/10, minPatience), maxPatience)
}

// attend waits until a connection is over. It returns a verified one that took
// its place, or nil when there is none yet.
func (s *session) attend(ctx context.Context, conn *timedConn) *timedConn {
	ticker := time.NewTicker(attendEvery)
	defer ticker.Stop()
	began, notBefore := time.Now(), time.Time{}
	shortest := shortestPatience(conn.SessionTimeout())
	s.patience = max(s.patience, shortest)
	for {
		select {
		case <-conn.Done():
			s.publish(nil, errors.New("the connection to ZooKeeper was lost"))
			s.log.Warn("ZooKeeper session lost; connecting anew")
			return nil
		case <-ctx.Done():
			s.publish(nil, context.Cause(ctx))
			conn.Close()
			return nil
		case <-ticker.C:
		}
		if time.Since(began) > calm*s.patience {
			s.patience = shortest
		}
		silence := conn.silence()
		if silence < s.patience || time.Now().Before(notBefore) {
			continue
		}
		rival, err := s.challenge(ctx, conn)
		switch {
		case err == nil:
			s.log.WithField("silence", silence.Round(time.Millisecond)).
				Warn("ZooKeeper is silent; another server answers, and takes over")
			s.patience = min(2*s.patience, max(conn.SessionTimeout(), shortest))
			go conn.Close()
			return rival
		case final(err):
			s.fail(err)
			conn.Close()
			return nil
		case errors.Is(err, errUnlisted):
			conn.Close() // the next session puts the member's znode up
		default:
			if code := codeOf(err); code != nil && code.does != expected {
				s.trouble.note(s.log, code, err)
				notBefore = time.Now().Add(s.pause.next())
			}
		}
	}
}

// challenge makes the rival. The connection may end meanwhile: then the rival is
// its successor, as any other.
func (s *session) challenge(ctx context.Context, conn *timedConn) (rival *timedConn, err error) {
	made := make(chan struct{})
	go func() {
		defer close(made)
		rival, err = s.connect(ctx)
	}()
	select {
	case <-made:
	case <-conn.Done():
		s.publish(nil, errors.New("the connection to ZooKeeper was lost"))
		<-made
	}
	return rival, err
}
