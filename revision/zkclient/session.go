package zkclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/revision/zkclient/measured"
)

// Session keeps one verified connection up. No caller gets a connection before
// Verify has accepted it.
//
// Its goroutine is Run, which ends with its context. Connections that were given
// up are closed in the background; Run returns when all of them are closed.
type Session struct {
	SessionConfig
	out *outage

	mu      sync.Mutex
	current Conn
	// changed is closed and replaced whenever current or failed changes.
	changed chan struct{}
	failed  error
	dead    chan struct{} // closed once failed is set
	lastErr error
	timeout time.Duration

	silenceLimit time.Duration // of a server; Run's

	pause Backoff // after ZooKeeper has answered with a code
	// demands counts verifications in a row that ended with ErrUnauthenticated.
	demands int

	closing Group
}

// SessionConfig is what a Session knows of its user.
type SessionConfig struct {
	// Dialer opens connections.
	Dialer Dialer
	// Verify judges a new connection before any caller gets it. An error that is
	// fatal ends the session for good; after any other it dials again.
	Verify func(ctx context.Context, conn Conn) error
	// Fatal says which errors end the session for good.
	Fatal func(error) bool
	// Noted, if set, hears why a connection could not be used. It must return
	// soon.
	Noted func(error)
	// Random is where the jitter of pauses comes from; see Backoff.
	Random io.Reader
	// Measured counts what becomes of sessions; may be nil.
	Measured *measured.Session
	// Said keeps warnings about ZooKeeper's codes from being repeated.
	Said *throttle.Lines
	Log  *logrus.Entry
}

// ErrDisplaced is for Verify to wrap: the connection was not accepted, but may
// have displaced already what the one in use holds, such as an ephemeral znode.
// Then that one is given up, too.
var ErrDisplaced = errors.New("revision: the member's znode could not be put up")

const (
	// verifyTimeout bounds the verification of a new connection.
	verifyTimeout = 10 * time.Second
	// redialMin and redialMax bound the pause after a connection that could not
	// be used.
	redialMin = 50 * time.Millisecond
	redialMax = time.Second
)

// NewSession returns a session that Run brings up.
func NewSession(cfg SessionConfig) *Session {
	out := newOutage(cfg.Log)
	if z, ok := cfg.Dialer.(*Ensemble); ok {
		out = z.outage()
	}
	out.attend()
	return &Session{SessionConfig: cfg, out: out, changed: make(chan struct{}), dead: make(chan struct{}),
		pause: Backoff{Random: cfg.Random}, lastErr: errors.New("no connection was made yet")}
}

// Run dials, verifies and publishes connections until ctx ends or the session
// has failed for good.
func (s *Session) Run(ctx context.Context) {
	defer s.closing.Wait()
	pause := redialMin
	s.out.begin(nil)
	for ctx.Err() == nil && s.Failure() == nil {
		conn, err := s.connect(ctx)
		if err != nil {
			if s.Fatal(err) || ctx.Err() != nil {
				s.Fail(err)
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
			s.Log.WithField("session-timeout", conn.SessionTimeout()).Debug("ZooKeeper session is up")
			conn = s.watchdog(ctx, conn)
		}
	}
	s.Fail(revision.ErrClosed)
}

// refused tells of a connection that could not be used, and returns how long to
// pause before the next one: about so long, unless ZooKeeper has answered with a
// code, which has a line and pauses of its own.
func (s *Session) refused(err error, pause time.Duration) time.Duration {
	s.Measured.Note(measured.Refused)
	if code := CodeOf(err); code != nil && code.Does != Expected {
		code.Warn(s.Log, s.Said, err)
		return s.pause.Next()
	}
	s.out.note("session", "a session could not be used", err)
	s.out.due()
	return jitter(s.Random, pause)
}

// connect dials until a connection was accepted, or one was refused.
func (s *Session) connect(ctx context.Context) (*timedConn, error) {
	dialed, err := s.Dialer.Dial(ctx)
	for err == nil {
		conn := newTimedConn(dialed, s.Measured)
		if dialed, err = s.admit(ctx, conn); dialed == nil && err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// admit verifies a connection. Should it fall silent during that, another one is
// dialed; if that comes first, admit gives the silent one up and returns the
// other.
func (s *Session) admit(ctx context.Context, conn *timedConn) (instead Conn, err error) {
	verifyCtx, cancel := context.WithTimeoutCause(ctx, verifyTimeout, errors.New("ZooKeeper did not answer in time"))
	defer cancel()
	verified := make(chan error, 1)
	s.closing.Go(func() { verified <- s.Verify(verifyCtx, conn) })
	s.silenceLimit = max(s.silenceLimit, shortestSilence(conn.SessionTimeout()))
	watch := time.NewTimer(s.silenceLimit)
	defer watch.Stop()
	rivals := dialing{}
	defer func() { s.stopDial(rivals) }()
	for {
		select {
		case err := <-verified:
			if err != nil {
				s.closing.Go(conn.Close)
			}
			return nil, err
		case <-watch.C:
			rest := s.silenceLimit - conn.silence()
			if rest <= 0 && rivals.dialed == nil {
				rivals = s.dial(ctx)
			}
			if rest > 0 && rivals.dialed != nil {
				s.stopDial(rivals)
				rivals = dialing{}
			}
			watch.Reset(max(rest, rivalCheck))
		case d := <-rivals.dialed:
			rivals = dialing{}
			if d.err != nil { // no server lets this zkine in
				watch.Reset(jitter(s.Random, redialMax))
				continue
			}
			if conn.silence() < s.silenceLimit {
				s.closing.Go(d.conn.Close)
				continue
			}
			cancel()
			<-verified //nolint:errcheck // its calls ended with the context
			s.closing.Go(conn.Close)
			s.raiseSilenceLimit(conn)
			return d.conn, nil
		}
	}
}

func (s *Session) publish(conn Conn, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.lastErr = conn, why
	if conn != nil {
		s.Measured.Note(measured.Established)
		s.demands = 0
		s.timeout = conn.SessionTimeout()
	}
	s.signal()
}

// Fail ends the session for good; the first reason stays.
func (s *Session) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
		close(s.dead)
	}
	s.current = nil
	s.signal()
}

func (s *Session) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Get waits for a verified connection. Its errors: the one that ended the
// session for good, or ErrUnavailable when ctx ends first.
func (s *Session) Get(ctx context.Context) (Conn, error) {
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
			return nil, fmt.Errorf("%w: %w (%w)", revision.ErrUnavailable, s.lastErr, context.Cause(ctx))
		}
	}
}

// Failed is closed when the session has failed for good; then Failure says why.
func (s *Session) Failed() <-chan struct{} { return s.dead }

// Failure is why the session has failed for good, nil while it has not.
func (s *Session) Failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Err is nil while a connection is up, or says why there is none.
func (s *Session) Err() error {
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

// Timeout is what the server granted that was connected last; 0 before
// the first.
func (s *Session) Timeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeout
}

// Bound bounds one request to ZooKeeper: a server that is silent for a session
// timeout is given up.
func (s *Session) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, max(s.Timeout(), time.Second), errSilentTooLong)
}
