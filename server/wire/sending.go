package wire

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

const (
	// smallFrom is the size in bytes from which a message counts: what is smaller
	// takes no more than the stream that it is on.
	smallFrom = 16 << 10
	// largeFrom is the size from which it counts as large.
	largeFrom = 256 << 10
)

// Sending bounds the bytes of messages that gRPC holds until clients take them: it
// waits for a client's window with the whole of a message, however large, and for as
// long as the client likes. A message that would go beyond the bound waits with what it
// was made for; if it is large, without having been made.
//
// Small messages count by connection, so that a client which does not read delays only
// itself. Large ones count by connection and all together. Each may go if it is the
// only one of its kind, whatever its size, so that none waits for ever.
type Sending struct {
	// maxLarge is for all connections; a connection has half of it, and an eighth of it
	// for small messages.
	maxLarge int64

	mu      sync.Mutex
	large   int64
	conns   map[any]*connSending
	waiting []*waiter // first come, first served; large ones of all connections in turn
}

// connSending is what is sent on a connection. One that has ended counts no more.
type connSending struct {
	key          any
	small, large int64
	ended        bool
}

type waiter struct {
	conn  any
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
func (s *Sending) Try(conn any, size int64) (*Reserved, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.fits(conn, size) || slices.ContainsFunc(s.waiting, func(w *waiter) bool { return w.before(conn, size) }) {
		return nil, false
	}
	return s.reserve(conn, size), true
}

// Wait counts a message in once there is room for it. Error: the cause of ctx's end.
func (s *Sending) Wait(ctx context.Context, conn any, size int64) (*Reserved, error) {
	w := &waiter{conn, size, make(chan *Reserved, 1)}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.admit()
	s.mu.Unlock()
	select {
	case reserved := <-w.ready:
		return reserved, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case reserved := <-w.ready:
		reserved.count(-size)
	default:
		s.waiting = slices.DeleteFunc(s.waiting, func(o *waiter) bool { return o == w })
	}
	s.admit()
	return nil, context.Cause(ctx)
}

// before says whether a waiter has to go before a message that comes now.
func (w *waiter) before(conn any, size int64) bool {
	return (w.size >= largeFrom) == (size >= largeFrom) && (size >= largeFrom || w.conn == conn)
}

// fits says whether there is room. The lock is held.
func (s *Sending) fits(conn any, size int64) bool {
	c := s.conns[conn]
	if c == nil {
		c = &connSending{}
	}
	within := func(held, most int64) bool { return held == 0 || held+size <= most }
	if size < largeFrom {
		return within(c.small, s.maxLarge/8)
	}
	return within(c.large, s.maxLarge/2) && within(s.large, s.maxLarge)
}

// reserve counts a message in. The lock is held.
func (s *Sending) reserve(conn any, size int64) *Reserved {
	c := s.conns[conn]
	if c == nil {
		c = &connSending{key: conn}
	}
	r := &Reserved{s, c, size}
	r.count(size)
	return r
}

// count adds to the bytes that are counted for a message. The lock is held.
func (r *Reserved) count(bytes int64) {
	c := r.conn
	if c.ended {
		return
	}
	if r.size < largeFrom {
		c.small += bytes
	} else {
		c.large += bytes
		r.sending.large += bytes
	}
	if c.small+c.large > 0 {
		r.sending.conns[c.key] = c
	} else {
		delete(r.sending.conns, c.key)
	}
}

// Ended says that a connection has ended, and takes nothing any more. gRPC leaves what
// it has not sent to the garbage collector.
func (s *Sending) Ended(conn any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.conns[conn]; c != nil {
		c.ended = true
		s.large -= c.large
		delete(s.conns, conn)
	}
	s.admit()
}

// admit lets those go for whom there is room. A large message that has its
// connection's room and not everybody's is not overtaken by other large ones. The lock
// is held.
func (s *Sending) admit() {
	blocked := false
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
		large := w.size >= largeFrom
		if large && blocked {
			return false
		}
		if !s.fits(w.conn, w.size) {
			c := s.conns[w.conn]
			blocked = blocked || large && (c == nil || c.large == 0 || c.large+w.size <= s.maxLarge/2)
			return false
		}
		w.ready <- s.reserve(w.conn, w.size)
		return true
	})
}

// Reserved are bytes that are counted, for one message.
type Reserved struct {
	sending *Sending
	conn    *connSending
	size    int64
}

// Message is to be given to gRPC in place of m. What is reserved is given back as gRPC
// gives back the buffers of m's encoding.
func (r *Reserved) Message(m any) any { return &Metered{m, r} }

// Release gives back what was reserved, if there is no message after all.
func (r *Reserved) Release() { r.give(r.size) }

// Resize makes it another number of bytes, without waiting.
func (r *Reserved) Resize(size int64) {
	r.sending.mu.Lock()
	defer r.sending.mu.Unlock()
	r.count(-r.size)
	r.size = size
	r.count(size)
	r.sending.admit()
}

func (r *Reserved) give(bytes int64) {
	r.sending.mu.Lock()
	defer r.sending.mu.Unlock()
	r.count(-bytes)
	r.sending.admit()
}

// Metered is a message whose bytes are counted until they are sent.
type Metered struct {
	Message  any
	reserved *Reserved
}

// Unmetered is the message that m stands for, or m.
func Unmetered(m any) any {
	if metered, ok := m.(*Metered); ok {
		return metered.Message
	}
	return m
}

// meter has the buffers of a message give back what is reserved for it. What is left
// beyond them is given back with the last.
func (r *Reserved) meter(data mem.BufferSlice) mem.BufferSlice {
	left := r.size
	metered := make(mem.BufferSlice, len(data))
	for i, b := range data {
		n := min(left, int64(b.Len()))
		if i == len(data)-1 {
			n = left
		}
		left -= n
		p := &part{reserved: r, bytes: n}
		c := &counted{Buffer: b, part: p}
		c.refs.Store(1)
		// gRPC leaves some to the garbage collector.
		runtime.AddCleanup(c, (*part).release, p)
		metered[i] = c
	}
	if len(data) == 0 {
		r.give(left)
	}
	return metered
}

// part is what is reserved for one buffer; it is given back once.
type part struct {
	reserved *Reserved
	bytes    int64
	given    atomic.Bool
}

func (p *part) release() {
	if !p.given.Swap(true) {
		p.reserved.give(p.bytes)
	}
}

// counted is a buffer that says when gRPC needs it no more.
type counted struct {
	mem.Buffer
	part *part
	refs atomic.Int32
}

// Ref implements mem.Buffer.
func (c *counted) Ref() {
	c.refs.Add(1)
	c.Buffer.Ref()
}

// Free implements mem.Buffer.
func (c *counted) Free() {
	last := c.refs.Add(-1) == 0
	c.Buffer.Free()
	if last {
		c.part.release()
	}
}
