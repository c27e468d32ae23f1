package listener

import (
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/throttle"
)

const (
	// mostUndecided bounds the connections of which it is not known yet what they
	// speak, those in a TLS handshake among them.
	mostUndecided = 1024
	// silentLimit is how long a gRPC connection may take until its first call.
	silentLimit = 5 * time.Minute
	// youth is how long a connection is not ended to make room for another. Many
	// clients that connect at once would else end each other's, and none would
	// come to its call.
	youth = 500 * time.Millisecond
	// probeYouth is the same for probes, which ask as soon as they are connected, and
	// have to be let in whatever others do.
	probeYouth = 20 * time.Millisecond
	// drawn is how many connections are looked at when one is ended to make room.
	drawn = 64
)

// Connections bounds the connections of some sockets, all of them together, so that
// they leave descriptors to the rest of the process. Once there are as many as may
// be, a connection without a call under way is ended to make room for a new one: of
// some that are drawn at random, the one that has been idle for longest. If all are
// in use, the new one is closed at once. Clients with open streams, such as watches,
// are never ended for others.
type Connections struct {
	most int
	what string // whose they are, for the log
	// youth is how long a connection is not ended for others.
	youth time.Duration
	log   *logrus.Entry
	// began is the origin of now.
	began time.Time
	lines throttle.Lines
	// closed hears of connections that are closed; nil if no one wants to.
	closed func(*Conn)

	mu        sync.Mutex
	open      map[*Conn]struct{}
	undecided map[*Conn]struct{}
	ended     Ended
}

// Ended counts connections that were ended by Connections, by reason.
type Ended struct {
	// Refused were new, while all others were in use. Evicted were idle, and made
	// room for new ones. Silent made no call for too long. Stalled did not take what
	// others had no room for.
	Refused, Evicted, Silent, Stalled uint64
}

// NewConnections bounds connections to most, which is at least 1. what says in the
// log whose they are.
func NewConnections(most int, what string, log *logrus.Entry) *Connections {
	return &Connections{
		most: most, what: what, youth: youth, log: log, began: time.Now(),
		open: make(map[*Conn]struct{}), undecided: make(map[*Conn]struct{}),
	}
}

// NewProbed bounds the connections of the URLs for probes.
func NewProbed(log *logrus.Entry) *Connections {
	c := NewConnections(MetricsConnections, "metrics", log)
	c.youth = probeYouth
	return c
}

// OnClose has closed called with each connection that is closed, perhaps more than
// once. It comes before there are connections.
func (c *Connections) OnClose(closed func(*Conn)) { c.closed = closed }

// Most is how many connections there may be.
func (c *Connections) Most() int { return c.most }

// Counts are how many connections are open, and how many were ended.
func (c *Connections) Counts() (open int, ended Ended) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open), c.ended
}

// Listen counts the connections that socket accepts. What it has no room for is
// closed, and not accepted.
func (c *Connections) Listen(socket net.Listener) net.Listener {
	return countedListener{socket, c}
}

type countedListener struct {
	net.Listener
	conns *Connections
}

func (l countedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if counted := l.conns.admit(conn); counted != nil {
			l.conns.decide(counted)
			return counted, nil
		}
	}
}

// now is a monotonic clock, in nanoseconds.
func (c *Connections) now() int64 { return int64(time.Since(c.began)) }

// admit counts a new connection, of which it is not known yet what it speaks; nil,
// and the connection is closed, if there is no room for it.
func (c *Connections) admit(socket net.Conn) *Conn {
	conn := &Conn{Conn: socket, of: c}
	conn.idleSince.Store(c.now())
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.undecided) >= mostUndecided && !c.evict(c.undecided) || len(c.open) >= c.most && !c.evict(c.open) {
		c.ended.Refused++
		c.tell("a connection was refused: all others are in use, and no more leave zkine descriptors of its own; raise the limit of open files (ulimit -n, LimitNOFILE=)")
		socket.Close()
		return nil
	}
	c.open[conn], c.undecided[conn] = struct{}{}, struct{}{}
	return conn
}

// evict ends one of some connections, if one of those that it draws is idle and not
// young. c.mu is held.
func (c *Connections) evict(from map[*Conn]struct{}) bool {
	var oldest *Conn
	looked := 0
	for conn := range from {
		if looked++; looked > drawn {
			break
		}
		if conn.calls.Load() == 0 && (oldest == nil || conn.idleSince.Load() < oldest.idleSince.Load()) {
			oldest = conn
		}
	}
	if oldest == nil || c.now()-oldest.idleSince.Load() < int64(c.youth) {
		return false
	}
	c.ended.Evicted++
	c.tell("idle connections are ended to make room for new ones: there are as many as leave zkine descriptors of its own; raise the limit of open files (ulimit -n, LimitNOFILE=) if these are clients that you know")
	c.forget(oldest)
	oldest.Conn.Close()
	return true
}

// tell logs rarely. c.mu is held.
func (c *Connections) tell(text string) {
	if left, ok := c.lines.Allow(text); ok {
		c.log.WithFields(logrus.Fields{"connections": len(c.open), "urls": c.what}).Warn(text + left)
	}
}

// decide notes that it is known what a connection speaks.
func (c *Connections) decide(conn *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.undecided, conn)
}

// awaitCall ends a connection that makes no call for silentLimit.
func (c *Connections) awaitCall(conn *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn.closed {
		return
	}
	conn.silent = time.AfterFunc(silentLimit, func() {
		c.mu.Lock()
		silent := !conn.called.Load() && !conn.closed
		if silent {
			c.ended.Silent++
		}
		c.mu.Unlock()
		if silent {
			conn.Close()
		}
	})
}

func (c *Connections) release(conn *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(conn)
}

// forget takes a connection out of the count; again, it does nothing. c.mu is held.
func (c *Connections) forget(conn *Conn) {
	if conn.closed {
		return
	}
	conn.closed = true
	delete(c.open, conn)
	delete(c.undecided, conn)
	if conn.silent != nil {
		conn.silent.Stop()
	}
}
