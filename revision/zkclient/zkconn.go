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
)

// Ensemble dials sessions on an ensemble. This file is the only one that
// knows go-zookeeper/zk's traps; what each answer is for:
//
//   - The client reconnects by itself, and requests that wait in its queue
//     survive reconnect and even expiry: so its dialer works once, and the
//     session is given up with its connection.
//   - Re-arming watches after a reconnect races with replies (its issue 35)
//     and fails silently: there is no reconnect.
//   - Calls block while disconnected and have no context: each runs in a
//     goroutine of its own, which ends with the connection.
//   - The handshake's read deadline is ten times too long: the connection
//     caps every deadline.
//   - Its host provider resolves once and sleeps a second a round: servers
//     are chosen, and their names resolved, here.
//   - The event channel drops events: a callback is used.
//   - The granted session timeout is not exposed: it is read off the wire.
type Ensemble struct {
	// Servers are host:port. Every address that a host's name leads to is a
	// server; names are looked up again while no session is granted.
	Servers []string
	// Lookup returns a name's addresses; nil is the system's resolver.
	Lookup func(ctx context.Context, host string) ([]string, error)
	// Timeout is the session timeout to ask for.
	Timeout time.Duration
	// MaxRequest is the size in bytes of the largest request that will be sent.
	MaxRequest int
	// PreferLeader is for sessions that write: a write that a follower takes goes
	// to the leader and comes back, which on three servers took twice as long as
	// one that the leader took.
	PreferLeader bool
	Log          *logrus.Entry

	mu      sync.Mutex
	began   string              // the address that won last
	granted grant               // Dial's last
	known   map[string][]target // where a name led to when that was learnt last
	out     *outage
}

// zkConn is a session on a real server.
type zkConn struct {
	target
	zk       *zk.Conn
	events   <-chan zk.Event // the client closes it when its goroutines have ended
	made     chan struct{}   // closed when zk and events are set
	host     *oneHost
	dialed   atomic.Bool
	stopDial context.CancelFunc
	net      atomic.Pointer[cappedConn]
	broken   atomic.Bool   // there is no connection, or not any more
	up       chan struct{} // closed when the session is granted
	upOnce   sync.Once
	granted  atomic.Int64 // session timeout in milliseconds

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
func (c *zkConn) dialOnce(ctx context.Context, deadline time.Duration) zk.Dialer {
	return func(network, address string, _ time.Duration) (net.Conn, error) {
		if c.dialed.Swap(true) {
			c.breaks(ErrSessionOver)
			return nil, ErrSessionOver
		}
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
		if err != nil {
			c.breaks(err)
			return nil, err
		}
		capped := newCappedConn(conn, deadline, &c.granted)
		c.net.Store(capped)
		return capped, nil
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
		c.breaks(ErrSessionOver)
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
}

// callsGrace bounds how long the calls of a session that is over are waited
// for. The client answers them all as it winds up.
const callsGrace = time.Second

// shut asks the server to end the session, which the client gives up after a
// second or two, cuts the connection, and waits until the client's goroutines
// have ended.
//
// The client answers a request that it has not sent yet only while it dials
// again. So where it cannot send any more, it must have come that far before it
// is told to close: else its callers would wait for ever.
func (c *zkConn) shut() {
	<-c.made
	if conn := c.net.Load(); c.broken.Load() || conn != nil && conn.stuck() {
		c.cut()
		<-c.host.over
	}
	c.zk.Close()
	c.cut()
	for range c.events { // until it is closed
	}
	c.waitForCalls()
}

func (c *zkConn) cut() {
	c.stopDial()
	if conn := c.net.Load(); conn != nil {
		conn.Close() // nothing is expected of it any more
	}
}

// beginCall says whether a call may begin, which ends with endCall.
func (c *zkConn) beginCall() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.calls++
	}
	return c.err
}

func (c *zkConn) endCall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls--; c.calls == 0 && c.idle != nil {
		close(c.idle)
	}
}

// waitForCalls waits until no call is left. None begins once the session is
// over.
func (c *zkConn) waitForCalls() {
	c.mu.Lock()
	if c.calls == 0 {
		c.mu.Unlock()
		return
	}
	c.idle = make(chan struct{})
	c.mu.Unlock()
	select {
	case <-c.idle:
	case <-time.After(callsGrace):
	}
}

func (c *zkConn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *zkConn) Done() <-chan struct{} { return c.done }

func (c *zkConn) SessionTimeout() time.Duration {
	return time.Duration(c.granted.Load()) * time.Millisecond
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

// call runs one blocking call of the client.
func call[T any](ctx context.Context, c *zkConn, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var zero T
	if err := c.beginCall(); err != nil {
		return zero, err
	}
	ch := make(chan result, 1)
	go func() {
		defer c.endCall()
		value, err := f()
		ch <- result{value, err}
	}()
	select {
	case r := <-ch:
		return r.value, c.ownWords(r.err)
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	case <-c.done:
		// The reply may have come in just before.
		select {
		case r := <-ch:
			return r.value, c.ownWords(r.err)
		default:
			return zero, c.cause()
		}
	}
}

// ownWords replaces what the client says once it is closed, which looks like a
// server's code and is none, by the reason for that.
func (c *zkConn) ownWords(err error) error {
	if cause := c.cause(); cause != nil && errors.Is(err, zk.ErrClosing) {
		return cause
	}
	return err
}

func (c *zkConn) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	return call(ctx, c, func() ([]zk.MultiResponse, error) {
		results, err := c.zk.Multi(ops...)
		if err == nil {
			// The header's code stays zero for some failed multis; the
			// operations' own codes do not.
			_, err = FailedOp(results)
		}
		culprit, _ := FailedOp(results)
		return results, Named(PathOf(ops[max(culprit, 0)]), err)
	})
}

func (c *zkConn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	got, err := call(ctx, c, func() (Watched, error) {
		data, stat, err := c.zk.Get(path)
		return Watched{Data: data, Stat: stat}, Named(path, err)
	})
	return got.Data, got.Stat, err
}

func (c *zkConn) GetW(ctx context.Context, path string) (Watched, error) {
	return call(ctx, c, func() (Watched, error) {
		data, stat, event, err := c.zk.GetW(path)
		return Watched{Data: data, Stat: stat, Event: event}, Named(path, err)
	})
}

func (c *zkConn) Children(ctx context.Context, path string) ([]string, error) {
	return call(ctx, c, func() ([]string, error) {
		children, _, err := c.zk.Children(path)
		return children, Named(path, err)
	})
}

func (c *zkConn) Exists(ctx context.Context, path string) (*zk.Stat, error) {
	return call(ctx, c, func() (*zk.Stat, error) {
		found, stat, err := c.zk.Exists(path)
		if err == nil && !found {
			err = zk.ErrNoNode
		}
		return stat, Named(path, err)
	})
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
