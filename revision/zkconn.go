package revision

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
)

// ZooKeeper dials sessions on an ensemble. This file is the only one that
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
type ZooKeeper struct {
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
	zk      *zk.Conn
	made    chan struct{} // closed when zk is set
	dialed  atomic.Bool
	net     atomic.Pointer[cappedConn]
	up      chan struct{} // closed when the session is granted
	upOnce  sync.Once
	granted atomic.Int64 // session timeout in milliseconds

	mu   sync.Mutex
	err  error
	done chan struct{}
	once sync.Once
	// ended is closed when the client has wound up, a while after done.
	ended chan struct{}
}

var errSessionOver = errors.New("the session ended with its connection")

// dialOnce lets the client connect once. A second attempt means that the
// connection was lost.
func (c *zkConn) dialOnce(deadline time.Duration) zk.Dialer {
	return func(network, address string, _ time.Duration) (net.Conn, error) {
		if c.dialed.Swap(true) {
			c.lose(errSessionOver)
			return nil, errSessionOver
		}
		conn, err := net.DialTimeout(network, address, dialTimeout)
		if err != nil {
			c.lose(err)
			return nil, err
		}
		capped := newCappedConn(conn, deadline, &c.granted)
		c.net.Store(capped)
		return capped, nil
	}
}

func (c *zkConn) onEvent(e zk.Event) {
	if e.Type != zk.EventSession {
		return
	}
	switch e.State {
	case zk.StateHasSession:
		c.upOnce.Do(func() { close(c.up) })
	case zk.StateDisconnected, zk.StateExpired, zk.StateAuthFailed:
		c.lose(errSessionOver)
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

// shut asks the server to end the session, which the client gives up after a
// second or two, and makes sure that the client's goroutines end.
func (c *zkConn) shut() {
	<-c.made
	c.zk.Close()
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
	return time.Duration(c.granted.Load()) * time.Millisecond
}

// Close ends the session properly, so that its ephemerals go at once.
func (c *zkConn) Close() {
	c.lose(ErrClosed)
	<-c.ended
}

// call runs one blocking call of the client.
func call[T any](ctx context.Context, c *zkConn, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	ch := make(chan result, 1)
	go func() {
		value, err := f()
		ch <- result{value, err}
	}()
	var zero T
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
			_, err = failedOp(results)
		}
		culprit, _ := failedOp(results)
		return results, named(pathOf(ops[max(culprit, 0)]), err)
	})
}

type gotten struct {
	data []byte
	stat *zk.Stat
	ch   <-chan zk.Event
}

func (c *zkConn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	r, err := call(ctx, c, func() (gotten, error) {
		data, stat, err := c.zk.Get(path)
		return gotten{data, stat, nil}, named(path, err)
	})
	return r.data, r.stat, err
}

func (c *zkConn) GetW(ctx context.Context, path string) ([]byte, *zk.Stat, <-chan zk.Event, error) {
	r, err := call(ctx, c, func() (gotten, error) {
		data, stat, ch, err := c.zk.GetW(path)
		return gotten{data, stat, ch}, named(path, err)
	})
	return r.data, r.stat, r.ch, err
}

func (c *zkConn) Children(ctx context.Context, path string) ([]string, error) {
	return call(ctx, c, func() ([]string, error) {
		children, _, err := c.zk.Children(path)
		return children, named(path, err)
	})
}

func (c *zkConn) Exists(ctx context.Context, path string) (*zk.Stat, error) {
	return call(ctx, c, func() (*zk.Stat, error) {
		found, stat, err := c.zk.Exists(path)
		if err == nil && !found {
			err = zk.ErrNoNode
		}
		return stat, named(path, err)
	})
}

func pathOf(op any) string {
	switch op := op.(type) {
	case *zk.CheckVersionRequest:
		return op.Path
	case *zk.CreateRequest:
		return op.Path
	case *zk.SetDataRequest:
		return op.Path
	case *zk.DeleteRequest:
		return op.Path
	default:
		return "a znode"
	}
}

// oneHost gives the client one server; the second request for it says that the
// round is over, which makes the client drop what waits in its queue.
type oneHost struct {
	server string
	asked  bool
}

func (h *oneHost) Init([]string) error { return nil }
func (h *oneHost) Len() int            { return 1 }
func (h *oneHost) Connected()          {}
func (h *oneHost) Next() (string, bool) {
	again := h.asked
	h.asked = true
	return h.server, again
}

type quietLogger struct{ log *logrus.Entry }

func (l quietLogger) Printf(format string, args ...any) { l.log.Debugf("zk client: "+format, args...) }
