package zkclient

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient/identity"
	"github.com/zkine/zkine/revision/zkclient/measured"
	"github.com/zkine/zkine/revision/zkclient/transport"
)

// Ensemble dials sessions on a ZooKeeper ensemble. The traps of ZooKeeper's Go
// client (go-zookeeper/zk), and the answer to each:
//
//   - The client reconnects by itself, and requests that wait in its queue
//     survive reconnect and even expiry: so its dialer works once, and the
//     session is given up with its connection.
//   - Re-arming watches after a reconnect races with replies (its issue 35)
//     and fails silently: there is no reconnect.
//   - Calls block while disconnected and have no context: each runs in a
//     goroutine of its own, which ends with the connection.
//   - It believes every length that it reads, and what listens on a port need not
//     be a ZooKeeper: a guard (package transport) stands before it, which ends
//     the connection at what the client cannot decode.
//   - The handshake's read deadline is ten times too long: the connection
//     caps every deadline.
//   - Its host provider resolves once and sleeps a second a round: servers
//     are chosen, and their names resolved, by a race.
//   - The event channel drops events: a callback is used. That it is closed
//     tells that the client's goroutines have ended.
//   - A client that is closed can lock up, and one that has lost its connection
//     may not answer its own request to close: see shut.
//   - The granted session timeout is not exposed: the guard reads it off the wire.
//   - Its dialer gets an address instead of the name that a certificate is for,
//     and a second for TCP and TLS together: both are passed over.
//   - A credential that it could not show once is forgotten, and the session goes
//     on without: the guard shows them all before the client hears of a session.
type Ensemble struct {
	// Servers are host:port. Every address that a host's name leads to is a
	// server; names are looked up again while no session is granted.
	Servers []string
	// Alone says that there is one server, which stands alone: it never lacks a
	// quorum.
	Alone bool
	// Lookup returns a name's addresses; nil is the system's resolver.
	Lookup func(ctx context.Context, host string) ([]string, error)
	// Timeout is the session timeout to ask for.
	Timeout time.Duration
	// MaxRequest is the size in bytes of the largest request that will be sent.
	MaxRequest int
	// TLS secures connections; nil for none.
	TLS *identity.TLS
	// Credentials are what each session shows before anything else; nil for none.
	Credentials func() []identity.Credential
	// ACL is that of each znode that sessions create; nil lets everyone do all.
	ACL []zk.ACL
	// PreferLeader is for sessions that write: a write that a follower takes goes
	// to the leader and comes back, which on three servers took twice as long as
	// one that the leader took.
	PreferLeader bool
	// Traffic, if set, counts what goes over all of its connections.
	Traffic *Traffic
	// Measured counts servers that let no session in; nil for none.
	Measured *measured.Session
	Log      *logrus.Entry

	mu      sync.Mutex
	began   string              // the address that won last
	granted grant               // Dial's last
	known   map[string][]target // where a name led to when that was learnt last
	out     *outage
	refused map[string]time.Time // when an address last gave an answer that was refused
	strange map[string]probed    // by address
	knownAs *string              // by what ZooKeeper knows zkine, as it was said last
}

// zkConn is a session on a real server.
type zkConn struct {
	target
	ensemble *Ensemble
	acl      []zk.ACL
	show     []identity.Credential
	zk       *zk.Conn
	events   <-chan zk.Event // the client closes it when its goroutines have ended
	made     chan struct{}   // closed when zk and events are set
	host     *oneHost
	dialed   atomic.Bool
	stopDial context.CancelFunc
	net      atomic.Pointer[transport.Guard]
	reached  atomic.Bool   // the server has accepted the connection
	broken   atomic.Bool   // there is no connection, or not any more
	up       chan struct{} // closed when the session is granted
	upOnce   sync.Once

	mu    sync.Mutex
	err   error
	calls int           // goroutines in call
	idle  chan struct{} // closed once calls is 0, if set
	done  chan struct{}
	once  sync.Once
	// ended is closed when the client's goroutines, and those of calls, have
	// ended, a while after done.
	ended chan struct{}
	// left is what the race has left to end that this connection has won; nil
	// for one that has won none.
	left *Group
}

// ErrSessionOver says that a session ended with its connection.
var ErrSessionOver = errors.New("the session ended with its connection")

// dialOnce lets the client connect once. A second attempt means that the
// connection was lost.
func (c *zkConn) dialOnce(ctx context.Context) zk.Dialer {
	return func(string, string, time.Duration) (net.Conn, error) {
		if c.dialed.Swap(true) {
			c.breaks(c.over())
			return nil, ErrSessionOver
		}
		opening, cancel := context.WithTimeout(ctx, c.ensemble.Timeout)
		defer cancel()
		conn, err := c.ensemble.reach(opening, c.target)
		if err == nil {
			c.reached.Store(true)
			conn, err = c.ensemble.encrypt(opening, conn, c.target)
		}
		if err != nil {
			c.breaks(err)
			return nil, err
		}
		guarded := transport.New(conn, c.guard())
		c.net.Store(guarded)
		if ctx.Err() != nil { // it was given up, and what cut it may not have seen the connection
			guarded.Close() // nothing is expected of it any more
			c.breaks(ErrSessionOver)
			return nil, ErrSessionOver
		}
		return guarded, nil
	}
}

// breaks ends the session because its connection has ended, or was never made.
func (c *zkConn) breaks(err error) {
	c.broken.Store(true)
	c.lose(err)
}

func (c *zkConn) onEvent(e zk.Event) {
	if e.Type != zk.EventSession {
		return
	}
	switch e.State {
	case zk.StateHasSession:
		c.upOnce.Do(func() { close(c.up) })
	case zk.StateDisconnected, zk.StateExpired, zk.StateAuthFailed:
		c.breaks(c.over())
	}
}

// lose ends the session: callers are released at once, and the client's
// goroutines wind up in the background, since its Close may block for seconds.
func (c *zkConn) lose(err error) {
	c.once.Do(func() {
		c.mu.Lock()
		c.err = err
		c.mu.Unlock()
		close(c.done)
		go func() {
			defer close(c.ended)
			c.shut()
		}()
	})
	if guarded := c.net.Load(); guarded != nil {
		guarded.Abandon(c.cause())
	}
}

// shut asks the server to end the session, which the client gives up after a
// second to three, cuts the connection, and waits until the client's goroutines
// have ended.
//
// A client whose connection is lost answers the request to close only while it
// dials again. It must have come that far before it is told to close, since it
// would wait a second for an answer otherwise.
func (c *zkConn) shut() {
	<-c.made
	if c.broken.Load() {
		c.cut()
		<-c.host.over
	}
	c.zk.Close()
	c.cut()
	c.waitForClient()
	c.waitForCalls()
}

// clientGrace bounds how long the client's goroutines are waited for, which end
// at once when their connection is cut. One that has locked up never ends: the
// client blocks on a request that it answers three times, as it is closed, as
// its write fails, and as it winds up.
const clientGrace = 3 * time.Second

func (c *zkConn) waitForClient() {
	grace := time.After(clientGrace)
	for {
		select {
		case _, open := <-c.events:
			if !open {
				return
			}
		case <-grace:
			return
		}
	}
}

func (c *zkConn) cut() {
	c.stopDial()
	if conn := c.net.Load(); conn != nil {
		conn.Close() // nothing is expected of it any more
	}
}

func (c *zkConn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *zkConn) Done() <-chan struct{} { return c.done }

func (c *zkConn) SessionTimeout() time.Duration {
	if guarded := c.net.Load(); guarded != nil {
		return guarded.SessionTimeout()
	}
	return 0
}

// Close ends the session properly, so that its ephemerals go at once. When it
// returns, neither the client nor what has dialed is running any more.
func (c *zkConn) Close() {
	c.lose(revision.ErrClosed)
	<-c.ended
	if c.left != nil {
		c.left.Wait()
	}
}

// oneHost gives the client one server; the second request for it says that the
// round is over, which makes the client answer what waits in its queue.
type oneHost struct {
	server string
	asked  int
	over   chan struct{} // closed by the second request
}

func (h *oneHost) Init([]string) error { return nil }
func (h *oneHost) Len() int            { return 1 }
func (h *oneHost) Connected()          {}
func (h *oneHost) Next() (string, bool) {
	if h.asked++; h.asked == 2 {
		close(h.over)
	}
	return h.server, h.asked > 1
}

type quietLogger struct{ log *logrus.Entry }

func (l quietLogger) Printf(format string, args ...any) { l.log.Debugf("zk client: "+format, args...) }
