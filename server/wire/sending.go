package wire

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
)

const (
	// smallFrom is the size in bytes from which a message counts: what is smaller
	// takes no more than the stream that it is on.
	smallFrom = 16 << 10
	// largeFrom is the size from which it counts as large.
	largeFrom = 256 << 10
	// stall is how long a connection may take less than stallBytes of its large
	// messages while others have no room. It is less than what a call may take, so
	// that those who wait have their answer.
	stall      = 3 * time.Second
	stallBytes = largeFrom
	// stallTick is how often one looks for such connections, while a message waits.
	stallTick = 500 * time.Millisecond
)

// Sending bounds the bytes of messages that gRPC holds until clients take them: it
// waits for a client's window with the whole of a message, however large, and for as
// long as the client likes. A message that would go beyond the bound waits with what it
// was made for; if it is large, without having been made.
//
// Small messages count by connection, so that a client which does not read delays only
// itself. Large ones count by connection and all together. Each may go if it is the
// only one of its kind, whatever its size, so that none waits for ever. Connections with
// large ones take turns. One that takes nothing while others have no room is Stalled.
type Sending struct {
	// maxLarge is for all connections; a connection has half of it, and an eighth of it
	// for small messages.
	maxLarge int64

	mu    sync.Mutex
	large int64
	conns map[any]*connSending
	// turns are the connections with large messages that wait, the next one first.
	turns []*connSending
	// looked is when one last looked for stalled connections.
	looked time.Time
}

// Staller is a connection that is told when it holds room, takes nothing, and others
// wait: it is to end. The bytes are those that it holds.
type Staller interface{ Stalled(bytes int64) }

// connSending is what is sent on a connection. One that has ended counts no more.
type connSending struct {
	key          any
	small, large int64
	// First come, first served.
	smallWaiting, largeWaiting []*waiter
	ended                      bool

	// sent are the large bytes that the client has to take. since is when the last
	// stallBytes of them began to go, or when the first came; taken is how many have gone
	// since. told says that it is Stalled.
	sent, taken int64
	since       time.Time
	told        bool
}

type waiter struct {
	conn  *connSending
	size  int64
	ready chan *Reserved // has room for one: what was reserved
}

// NewSending makes a bound; maxBytes is for large messages, on all connections
// together.
func NewSending(maxBytes int64) *Sending {
	return &Sending{maxLarge: maxBytes, conns: map[any]*connSending{}}
}

// Size is how many bytes a message has on the wire; 0 for one that does not count.
func (s *Sending) Size(m any) int64 {
	size, known := sizeOf(m)
	if p, ok := m.(proto.Message); ok && !known {
		size = proto.Size(p)
	}
	if size < smallFrom {
		return 0
	}
	return int64(size)
}

// Try counts a message in for a connection, if there is room and no other waits for it.
// A connection may be a Staller.
func (s *Sending) Try(conn any, size int64) (*Reserved, bool) {
	s.mu.Lock()
	c := s.conn(conn)
	if c.fits(size, s.maxLarge) && (size < largeFrom && len(c.smallWaiting) == 0 || size >= largeFrom && s.roomFor(size) && len(s.turns) == 0) {
		defer s.mu.Unlock()
		return s.reserve(c, size), true
	}
	crowded := size >= largeFrom && c.fits(size, s.maxLarge)
	s.drop(c)
	s.mu.Unlock()
	if crowded {
		s.endStalled()
	}
	return nil, false
}

// Wait counts a message in once there is room for it. Error: the cause of ctx's end.
func (s *Sending) Wait(ctx context.Context, conn any, size int64) (*Reserved, error) {
	w := s.enqueue(conn, size)
	var tick <-chan time.Time
	if size >= largeFrom {
		ticker := time.NewTicker(stallTick)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case reserved := <-w.ready:
			return reserved, nil
		case <-tick:
			if s.crowded(w) {
				s.endStalled()
			}
		case <-ctx.Done():
			s.leave(w)
			return nil, context.Cause(ctx)
		}
	}
}

func (s *Sending) enqueue(conn any, size int64) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &waiter{s.conn(conn), size, make(chan *Reserved, 1)}
	if c := w.conn; size < largeFrom {
		c.smallWaiting = append(c.smallWaiting, w)
	} else if c.largeWaiting = append(c.largeWaiting, w); len(c.largeWaiting) == 1 {
		s.turns = append(s.turns, c)
	}
	s.admit(w.conn)
	return w
}

// leave takes a waiter back that does not wait any more.
func (s *Sending) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := w.conn
	select {
	case reserved := <-w.ready:
		reserved.count(-w.size)
	default:
		other := func(o *waiter) bool { return o == w }
		c.smallWaiting = slices.DeleteFunc(c.smallWaiting, other)
		if c.largeWaiting = slices.DeleteFunc(c.largeWaiting, other); len(c.largeWaiting) == 0 {
			s.noTurn(c)
		}
		s.drop(c)
	}
	s.admit(c)
}

// conn is what is known of a connection. drop or reserve follows. The lock is held.
func (s *Sending) conn(key any) *connSending {
	c := s.conns[key]
	if c == nil {
		c = &connSending{key: key}
		s.conns[key] = c
	}
	return c
}

// drop forgets a connection that holds nothing and waits for nothing. The lock is held.
func (s *Sending) drop(c *connSending) {
	if !c.ended && c.small+c.large == 0 && len(c.smallWaiting)+len(c.largeWaiting) == 0 {
		delete(s.conns, c.key)
		c.ended = true
	}
}

func (s *Sending) noTurn(c *connSending) {
	s.turns = slices.DeleteFunc(s.turns, func(o *connSending) bool { return o == c })
}

func within(held, size, most int64) bool { return held == 0 || held+size <= most }

// fits says whether a connection's own bound leaves room.
func (c *connSending) fits(size, maxLarge int64) bool {
	if size < largeFrom {
		return within(c.small, size, maxLarge/8)
	}
	return within(c.large, size, maxLarge/2)
}

// roomFor says whether the bound of all leaves room for a large message.
func (s *Sending) roomFor(size int64) bool { return within(s.large, size, s.maxLarge) }

// reserve counts a message in. The lock is held.
func (s *Sending) reserve(c *connSending, size int64) *Reserved {
	r := &Reserved{sending: s, conn: c, size: size}
	r.count(size)
	return r
}

// Ended says that a connection has ended, and takes nothing any more. gRPC leaves what
// it has not sent to the garbage collector.
func (s *Sending) Ended(conn any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[conn]
	if c == nil {
		return
	}
	c.ended = true
	s.large -= c.large
	delete(s.conns, conn)
	s.noTurn(c) // who waits on it has ended too
	s.admitLarge()
}

// admit lets those go for whom there is room, after a change on a connection. The lock
// is held.
func (s *Sending) admit(c *connSending) {
	for len(c.smallWaiting) > 0 && !c.ended && c.fits(c.smallWaiting[0].size, s.maxLarge) {
		w := c.smallWaiting[0]
		c.smallWaiting = c.smallWaiting[1:]
		w.ready <- s.reserve(c, w.size)
	}
	s.admitLarge()
}

// admitLarge goes through the connections in turn. One that has its own room and not
// everybody's is not overtaken. The lock is held.
func (s *Sending) admitLarge() {
	for i := 0; i < len(s.turns); {
		c := s.turns[i]
		w := c.largeWaiting[0]
		if !c.fits(w.size, s.maxLarge) {
			i++
			continue
		}
		if !s.roomFor(w.size) {
			return
		}
		s.turns = slices.Delete(s.turns, i, i+1)
		if c.largeWaiting = c.largeWaiting[1:]; len(c.largeWaiting) > 0 {
			s.turns = append(s.turns, c)
		}
		w.ready <- s.reserve(c, w.size)
	}
}

// crowded says whether a waiter waits for the room of others.
func (s *Sending) crowded(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return w.conn.fits(w.size, s.maxLarge)
}

// endStalled ends the connection that holds most of those that take nothing, if others
// have no room for it.
func (s *Sending) endStalled() {
	s.mu.Lock()
	now := time.Now()
	if now.Sub(s.looked) < stallTick/2 {
		s.mu.Unlock()
		return
	}
	s.looked = now
	var worst *connSending
	for _, c := range s.conns {
		_, can := c.key.(Staller)
		if can && !c.told && c.sent > 0 && now.Sub(c.since) >= stall && (worst == nil || c.sent > worst.sent) {
			worst = c
		}
	}
	if worst == nil {
		s.mu.Unlock()
		return
	}
	worst.told = true
	bytes := worst.sent
	s.mu.Unlock()
	worst.key.(Staller).Stalled(bytes)
}
