package revision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// session keeps one verified connection up. It never serves a connection
// before greet has accepted it: greet shows, with a barrier, that the ensemble
// still holds what this zkine has applied.
//
// Its goroutine is run; it ends with ctx.
type session struct {
	dialer Dialer
	log    *logrus.Entry
	// greet verifies a new connection. An error that is final stops the
	// session for good; any other makes it dial again.
	greet func(ctx context.Context, conn Conn) error

	mu      sync.Mutex
	current Conn
	// changed is closed and replaced whenever current or failed changes.
	changed chan struct{}
	failed  error
	dead    chan struct{} // closed once failed is set
	lastErr error
	timeout time.Duration

	patience time.Duration // with a silent server; run's
}

// greetTimeout bounds the verification of a new connection.
const greetTimeout = 10 * time.Second

// final lists the errors after which a zkine must not go on.
func final(err error) bool {
	for _, f := range []error{ErrForeignRoot, ErrNewerFormat, ErrCorrupt, ErrLogLost, ErrHalted, ErrWrongCluster, ErrForbidden, ErrNameTaken} {
		if errors.Is(err, f) {
			return true
		}
	}
	return false
}

func newSession(d Dialer, log *logrus.Entry, greet func(context.Context, Conn) error) *session {
	return &session{dialer: d, log: log, greet: greet, changed: make(chan struct{}),
		dead: make(chan struct{}), lastErr: errors.New("no connection was made yet")}
}

// run dials, verifies and publishes connections until ctx ends or one proves
// that the log cannot be trusted.
func (s *session) run(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := s.connect(ctx)
		if err != nil {
			if final(err) || ctx.Err() != nil {
				s.fail(err)
				return
			}
			s.note(err)
			s.log.WithError(err).Warn("ZooKeeper session could not be used; trying again")
			select {
			case <-time.After(redialMin):
			case <-ctx.Done():
			}
			continue
		}
		for conn != nil {
			s.publish(conn, nil)
			s.log.WithField("session-timeout", conn.SessionTimeout()).Debug("ZooKeeper session is up")
			conn = s.attend(ctx, conn)
		}
	}
	s.fail(ErrClosed)
}

func (s *session) connect(ctx context.Context) (*timedConn, error) {
	dialed, err := s.dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	conn := newTimedConn(dialed)
	greetCtx, cancel := context.WithTimeoutCause(ctx, greetTimeout,
		errors.New("ZooKeeper did not answer in time"))
	defer cancel()
	if err := s.greet(greetCtx, conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (s *session) publish(conn Conn, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.lastErr = conn, why
	if conn != nil {
		s.timeout = conn.SessionTimeout()
	}
	s.signal()
}

func (s *session) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastErr = err
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
		conn, failed, changed, last := s.current, s.failed, s.changed, s.lastErr
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
			return nil, fmt.Errorf("%w: %w (%w)", ErrUnavailable, last, context.Cause(ctx))
		}
	}
}

// retire gives a connection up that misbehaves, so that the next get waits for
// another one.
func (s *session) retire(conn Conn) {
	s.mu.Lock()
	if s.current == conn {
		s.current = nil
	}
	s.mu.Unlock()
	conn.Close()
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
