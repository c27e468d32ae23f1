package zkclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient/transport"
)

// Traffic counts requests to ZooKeeper and watch events.
type Traffic = transport.Traffic

// dialTimeout bounds how long a server may take to accept a connection.
const dialTimeout = time.Second

// Dial implements Dialer: it returns the session of whichever server is the
// first to grant one and to answer a quorum write on it; see race.go. The first
// Dial begins with a random server, so that many zkines spread over the
// ensemble; each later one with the server after the one that was taken last:
// the caller that dials again has lost that one, or does not trust it. With PreferLeader it
// begins with the leader; see leader.go.
func (z *Ensemble) Dial(ctx context.Context) (Conn, error) {
	wanted := anyServer
	if z.PreferLeader {
		wanted = leaderFirst
	}
	conn, err := z.race(ctx, wanted)
	if err != nil {
		return nil, err
	}
	z.mu.Lock()
	z.granted = grant{conn.address, time.Now()}
	z.mu.Unlock()
	z.outage().dialed(conn.label)
	return conn, nil
}

// Bulk is for sessions to which it makes no difference who leads, and which had
// better not burden the leader.
func (z *Ensemble) Bulk() Dialer { return bulk{z} }

type bulk struct{ z *Ensemble }

func (b bulk) Dial(ctx context.Context) (Conn, error) {
	conn, err := b.z.race(ctx, anyServer)
	if err != nil {
		return nil, err
	}
	b.z.outage().dialed(conn.label)
	return conn, nil
}

// begin asks a server for a session, and does not wait for it.
func (z *Ensemble) begin(t target) (*zkConn, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &zkConn{target: t, ensemble: z, acl: z.ACL, stopDial: cancel, host: &oneHost{server: t.address, over: make(chan struct{})},
		made: make(chan struct{}), up: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{})}
	if c.acl == nil {
		c.acl = openACL
	}
	if z.Credentials != nil {
		c.show = z.Credentials()
	}
	conn, events, err := zk.Connect([]string{t.address}, z.Timeout,
		zk.WithDialer(c.dialOnce(ctx)),
		zk.WithHostProvider(c.host),
		zk.WithEventCallback(c.onEvent),
		zk.WithLogger(quietLogger{z.Log}), zk.WithLogInfo(false),
		zk.WithMaxBufferSize(z.maxAnswer()), zk.WithMaxConnBufferSize(z.MaxRequest+besideData))
	if err != nil {
		cancel()
		return nil, err
	}
	c.zk, c.events = conn, events
	close(c.made)
	return c, nil
}

// Why a server that accepts connections is no server to have.
var (
	errClosesEarly = errors.New("accepts connections and closes them")
	errUnreachable = errors.New("does not answer")
	errMute        = errors.New("accepts connections and keeps silent")
	errUnproven    = errors.New("grants a session and answers no write")
	errTurnsAway   = errors.New("turns zkine away")
)

// prove waits until the server has granted the session and answered a write. A
// granted session says little: servers that grant local sessions do so without
// a quorum. What the server answers is for the verification to judge, unless another
// session may pass. A server that demands to know who asks ends the connection
// with its answer. Errors: ErrUnauthenticated, why the server is none to have,
// the cause of ctx's end.
func (c *zkConn) prove(ctx context.Context) error {
	select {
	case <-c.up:
	case <-c.done:
		return c.early()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	_, err := c.Multi(ctx, &zk.CheckVersionRequest{Path: "/", Version: -1})
	if errors.Is(err, revision.ErrUnauthenticated) { // and ends the connection
		return fmt.Errorf("%w: %w", errTurnsAway, err)
	}
	select {
	case <-c.done:
		return c.early()
	default:
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if code := CodeOf(err); code != nil && (code.Does == Redial || code.Does == Retry) {
		return fmt.Errorf("%w: %w", errTurnsAway, err)
	}
	return nil
}

// early is why a connection ended before anyone had used it.
func (c *zkConn) early() error {
	if refusal := c.refusal(); refusal != nil {
		if isRefused(refusal) {
			return refusal
		}
		return fmt.Errorf("%w: %w", errTurnsAway, refusal)
	}
	if guarded := c.net.Load(); guarded != nil {
		if err := guarded.Err(); isAlert(err) {
			return c.ensemble.tlsError(err, c.target)
		}
		return fmt.Errorf("%w (%w)", errClosesEarly, c.cause())
	}
	return c.cause()
}

// silent is how far a connection has come whose server keeps silent.
func (c *zkConn) silent() error {
	select {
	case <-c.up:
		return errUnproven
	default:
	}
	if c.reached.Load() {
		return errMute
	}
	return errUnreachable
}
