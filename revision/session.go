package revision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/throttle"
)

// session keeps one verified connection up. It never serves a connection
// before greet has accepted it: greet shows, with a barrier, that the ensemble
// still holds what this zkine has applied.
//
// Its goroutine is run; it ends with ctx.
type session struct {
	dialer Dialer
	log    *logrus.Entry
	out    *outage
	// greet verifies a new connection. An error that is final stops the
	// session for good; any other makes it dial again.
	greet func(ctx context.Context, conn Conn) error
	// noted, if set, hears why a connection could not be used.
	noted func(error)

	mu      sync.Mutex
	current Conn
	// changed is closed and replaced whenever current or failed changes.
	changed chan struct{}
	failed  error
	dead    chan struct{} // closed once failed is set
	lastErr error
	timeout time.Duration

	patience time.Duration // with a silent server; run's

	// said, which is the log's, and pause are for codes that greetings meet.
	said  *throttle.Lines
	pause backoff
	// demands counts greetings in a row that ended with ErrUnauthenticated.
	demands int
}

const (
	// greetTimeout bounds the verification of a new connection.
	greetTimeout = 10 * time.Second
	// redialMin and redialMax bound the pause after a session that could not be
	// used.
	redialMin = 50 * time.Millisecond
	redialMax = time.Second
)

func newSession(d Dialer, log *logrus.Entry, said *throttle.Lines, greet func(context.Context, Conn) error) *session {
	out := newOutage(log)
	if z, ok := d.(*ZooKeeper); ok {
		out = z.outage()
	}
	out.attend()
	return &session{dialer: d, log: log, said: said, out: out, greet: greet, changed: make(chan struct{}),
		dead: make(chan struct{}), lastErr: errors.New("no connection was made yet")}
}

// run dials, verifies and publishes connections until ctx ends or one proves
// that the log cannot be trusted.
func (s *session) run(ctx context.Context) {
	pause := redialMin
	s.out.begin(nil)
	for ctx.Err() == nil && s.failure() == nil {
		conn, err := s.connect(ctx)
		if err != nil {
			if final(err) || ctx.Err() != nil {
				s.fail(err)
				return
			}
			err = s.note(err)
			select {
			case <-time.After(s.refused(err, pause)):
			case <-ctx.Done():
			}
			pause = min(2*pause, redialMax)
			continue
		}
		pause = redialMin
		s.out.end("ZooKeeper serves at "+serverOf(conn), "")
		for conn != nil {
			s.publish(conn, nil)
			s.log.WithField("session-timeout", conn.SessionTimeout()).Debug("ZooKeeper session is up")
			conn = s.attend(ctx, conn)
		}
	}
	s.fail(ErrClosed)
}

// refused tells of a session that could not be used, and returns how long to
// pause before the next one: about so long, unless ZooKeeper has answered with a
// code, which has a line and pauses of its own.
func (s *session) refused(err error, pause time.Duration) time.Duration {
	if code := codeOf(err); code != nil && code.does != expected {
		code.warn(s.log, s.said, err)
		return s.pause.next()
	}
	s.out.note("session", "a session could not be used", err)
	s.out.due()
	return jitter(pause)
}

// connect dials until a connection was greeted, or one was refused.
func (s *session) connect(ctx context.Context) (*timedConn, error) {
	dialed, err := s.dialer.Dial(ctx)
	for err == nil {
		conn := newTimedConn(dialed)
		if dialed, err = s.admit(ctx, conn); dialed == nil && err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// admit greets a connection. Should it fall silent meanwhile, another one is
// dialed; if that comes first, admit gives the silent one up and returns the
// other.
func (s *session) admit(ctx context.Context, conn *timedConn) (instead Conn, err error) {
	greetCtx, cancel := context.WithTimeoutCause(ctx, greetTimeout, errors.New("ZooKeeper did not answer in time"))
	defer cancel()
	greeted := make(chan error, 1)
	go func() { greeted <- s.greet(greetCtx, conn) }()
	s.patience = max(s.patience, shortestPatience(conn.SessionTimeout()))
	watch := time.NewTimer(s.patience)
	defer watch.Stop()
	rivals := dialing{}
	defer func() { rivals.stop() }()
	for {
		select {
		case err := <-greeted:
			if err != nil {
				go conn.Close()
			}
			return nil, err
		case <-watch.C:
			rest := s.patience - conn.silence()
			if rest <= 0 && rivals.dialed == nil {
				rivals = s.dial(ctx)
			}
			if rest > 0 && rivals.dialed != nil {
				rivals.stop()
				rivals = dialing{}
			}
			watch.Reset(max(rest, rivalCheck))
		case d := <-rivals.dialed:
			rivals = dialing{}
			if d.err != nil { // no server lets this zkine in
				watch.Reset(jitter(redialMax))
				continue
			}
			if conn.silence() < s.patience {
				d.drop()
				continue
			}
			cancel()
			<-greeted // its calls ended with the context
			go conn.Close()
			s.impatient(conn)
			return d.conn, nil
		}
	}
}

func (s *session) publish(conn Conn, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.lastErr = conn, why
	if conn != nil {
		s.demands = 0
		s.timeout = conn.SessionTimeout()
	}
	s.signal()
}

// fail stops the session for good; the first reason stays.
func (s *session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
		close(s.dead)
	}
	s.current = nil
	s.signal()
}

func (s *session) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// get waits for a verified connection. Its errors: the final one, or
// ErrUnavailable when ctx ends first.
func (s *session) get(ctx context.Context) (Conn, error) {
	for {
		s.mu.Lock()
		conn, failed, changed := s.current, s.failed, s.changed
		s.mu.Unlock()
		if failed != nil {
			return nil, failed
		}
		if conn != nil {
			return conn, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.current != nil {
				return s.current, nil // it came just now
			}
			return nil, fmt.Errorf("%w: %w (%w)", ErrUnavailable, s.lastErr, context.Cause(ctx))
		}
	}
}

var errRetired = errors.New("the connection to ZooKeeper was given up")

// retire gives a connection up that misbehaves, so that the next get waits for
// another one. It does not wait until the server has heard of that, which a
// silent one never does.
func (s *session) retire(conn Conn) {
	s.mu.Lock()
	if s.current == conn {
		s.current, s.lastErr = nil, errRetired
	}
	s.mu.Unlock()
	go conn.Close()
}

// failures is closed when the session has stopped for good; failure then says
// why.
func (s *session) failures() <-chan struct{} { return s.dead }

func (s *session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// err is nil while a connection is up, or says why there is none.
func (s *session) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failed != nil:
		return s.failed
	case s.current == nil:
		return s.lastErr
	default:
		return nil
	}
}

func (s *session) sessionTimeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeout
}
