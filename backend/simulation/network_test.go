package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient"
)

// sessionTimeout is what the ensemble grants: memzk's.
const sessionTimeout = 4 * time.Second

// conn is a zkine's end of a session. The ensemble's end, inner, outlives it:
// what was sent before the connection ended may still arrive, and the session's
// ephemerals stay until it expires.
type conn struct {
	w      *world
	life   *life
	id     int
	server int
	inner  zkclient.Conn
	done   chan struct{}

	// queue is what was sent and not executed; replies what was executed and
	// not answered. Both keep their order. The scheduler's.
	queue       []*call
	replies     []*call
	lastArrival time.Duration
	lastReply   time.Duration
	blockedTill time.Duration // nothing arrives before
	expired     bool          // the ensemble has ended the session
	watches     []*watch

	// closed says that the zkine has given it up, or lost it. Under w.mu.
	closed bool
}

// watch is a watch between the ensemble and a zkine.
type watch struct {
	inner <-chan zk.Event
	outer chan zk.Event // has room for one
	fired bool
}

// call is one request and its answer.
type call struct {
	life *life
	conn *conn // nil for a dial
	// what says what it does, and orders those that arrive in the same moment.
	what string
	run  func(zkclient.Conn) reply

	reply    reply         // set before answered is closed
	answered chan struct{} // never closed if the reply is lost
}

type reply struct {
	results []zk.MultiResponse
	data    []byte
	stat    *zk.Stat
	names   []string
	watched zkclient.Watched
	conn    *conn
	err     error
}

var (
	errLost    = errors.New("simulation: the connection was lost")
	errCrashed = errors.New("simulation: this zkine is dead")
)

// send hands a call to the network and waits for the answer, the end of the
// connection or of ctx. What was sent may take effect whatever is returned.
func (w *world) send(ctx context.Context, c *call) reply {
	if overdue(ctx) {
		return reply{err: context.Cause(ctx)}
	}
	c.answered = make(chan struct{})
	var done chan struct{}
	w.mu.Lock()
	switch {
	case c.life.dead:
		w.mu.Unlock()
		return reply{err: errCrashed}
	case c.conn != nil && c.conn.closed:
		w.mu.Unlock()
		return reply{err: errLost}
	case c.conn != nil:
		done = c.conn.done
	default:
		done = c.life.died
	}
	w.arrivals = append(w.arrivals, c)
	w.mu.Unlock()
	w.poke()
	select {
	case <-c.answered:
		return c.reply
	case <-ctx.Done():
		return reply{err: context.Cause(ctx)}
	case <-done:
		// The reply may have come just before.
		select {
		case <-c.answered:
			return c.reply
		default:
			return reply{err: errLost}
		}
	}
}

// overdue says whether ctx has ended, or is to end at this moment: then it waits
// for that. Which of several timers of one moment runs first is up to chance, so
// that a ticker's user would send something now and then, and now and then not.
func overdue(ctx context.Context) bool {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// admit takes what was sent since the last step, in an order that does not
// depend on which goroutine was faster, and gives it moments to arrive at.
func (w *world) admit() {
	w.mu.Lock()
	calls := w.arrivals
	w.arrivals = nil
	w.mu.Unlock()
	slices.SortStableFunc(calls, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.life.z.id, b.life.z.id), cmp.Compare(a.connID(), b.connID()), cmp.Compare(a.what, b.what))
	})
	for _, c := range calls {
		c.life.z.whenAwake(func() { w.depart(c) })
	}
}

func (c *call) connID() int {
	if c.conn == nil {
		return 0
	}
	return c.conn.id
}

// depart puts a call on its way.
func (w *world) depart(c *call) {
	if c.conn == nil {
		w.after(w.latency(), func() { w.dial(c) })
		return
	}
	if c.what == "close" {
		w.hangUp(c.conn)
		return
	}
	if c.conn.isClosed() {
		return // it never left
	}
	c.conn.queue = append(c.conn.queue, c)
	c.conn.lastArrival = max(c.conn.lastArrival+1, w.now()+w.latency())
	w.at(c.conn.lastArrival, c.conn.arrive)
}

// dial opens a session, once the ensemble is there.
func (w *world) dial(c *call) {
	if c.life.dead {
		return
	}
	if w.now() < w.awayUntil {
		w.at(w.awayUntil+w.latency(), func() { w.dial(c) })
		return
	}
	server := w.rng.IntN(w.profile.servers)
	if w.now() < w.cutUntil[server] {
		w.after(w.between(0, time.Second), func() { w.dial(c) })
		return
	}
	w.dialed++
	n := &conn{w: w, life: c.life, id: w.dialed, server: server, inner: w.e.DialServer(server), done: make(chan struct{})}
	w.conns = append(w.conns, n)
	w.step(n, c.what)
	c.reply = reply{conn: n}
	w.after(w.latency(), func() { n.life.z.whenAwake(func() { close(c.answered) }) })
}

// arrive executes the oldest request that was sent on the connection, unless
// something goes wrong with it.
func (n *conn) arrive() {
	w := n.w
	if len(n.queue) == 0 {
		return
	}
	c := n.queue[0]
	until := n.blockedTill
	if strings.HasPrefix(c.what, "multi") || strings.HasPrefix(c.what, "close") {
		until = max(until, w.cutUntil[n.server])
	}
	if n.expired {
		n.queue = nil
		return
	}
	if w.now() < until {
		w.at(until+w.latency(), n.arrive)
		return
	}
	switch fate := w.fate(n, c); fate {
	case loseRequest:
		w.step(n, "lost "+c.what)
		w.sever(n)
	case stall:
		n.blockedTill = w.now() + w.between(0, 3*sessionTimeout)
		w.step(n, fmt.Sprintf("stalls until %v", n.blockedTill))
		w.at(n.blockedTill, n.arrive)
	case crashBefore:
		w.crash(n.life)
	default:
		n.queue = n.queue[1:]
		n.execute(c, fate)
	}
}

func (n *conn) execute(c *call, fate fate) {
	w := n.w
	c.reply = c.run(n.inner)
	result := "ok"
	if c.reply.err != nil {
		result = c.reply.err.Error()
	}
	w.step(n, c.what+": "+result)
	w.truth.executed(c)
	w.fireWatches()
	switch {
	case n.isClosed():
	case fate == loseReply:
		w.sever(n)
	case fate == crashAfter:
		w.crash(n.life)
	default:
		n.replies = append(n.replies, c)
		n.lastReply = max(n.lastReply+1, w.now()+w.latency())
		w.at(n.lastReply, func() { n.life.z.whenAwake(n.answer) })
	}
}

// answer delivers the oldest reply.
func (n *conn) answer() {
	if len(n.replies) == 0 || n.isClosed() {
		return
	}
	c := n.replies[0]
	n.replies = n.replies[1:]
	n.life.heard = append(n.life.heard, n.w.now())
	n.life.hears(n)
	close(c.answered)
}

func (n *conn) isClosed() bool {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return n.closed
}

// shut ends the zkine's side; false if that was done before. Anyone may call it.
func (n *conn) shut() bool {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.closed {
		return false
	}
	n.closed = true
	close(n.done)
	return true
}

// step notes what the scheduler did.
func (w *world) step(n *conn, what string) {
	w.steps++
	w.trace.event(w.now(), fmt.Sprintf("%s/%d@%d", n.life.z.name, n.id, n.server), what)
}
