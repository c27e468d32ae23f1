package wire

import (
	"runtime"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/mem"
)

// Reserved are bytes that are counted, for one message.
type Reserved struct {
	sending *Sending
	conn    *connSending
	size    int64
	sent    bool // a large one that Sent was told of
}

// Message is to be given to gRPC in place of m. What is reserved is given back as gRPC
// gives back the buffers of m's encoding.
func (r *Reserved) Message(m any) any { return &Metered{m, r} }

// Release gives back what was reserved, if there is no message after all, or once what
// Sent was told of is over.
func (r *Reserved) Release() { r.give(r.size) }

// Resize makes it another number of bytes, without waiting. It comes before Message.
func (r *Reserved) Resize(size int64) {
	r.sending.mu.Lock()
	defer r.sending.mu.Unlock()
	old := *r
	r.size = size
	r.count(size)
	old.count(-old.size)
	r.sending.admit(r.conn)
}

// Sent says that the client has to take the message from now on, for which it has
// grace, and stall.
func (r *Reserved) Sent(grace time.Duration) {
	r.sending.mu.Lock()
	defer r.sending.mu.Unlock()
	if r.size < largeFrom {
		return
	}
	if r.sent = true; r.conn.sent == 0 {
		r.conn.since, r.conn.taken = time.Now().Add(grace), 0
	}
	r.conn.sent += r.size
}

func (r *Reserved) give(bytes int64) {
	r.sending.mu.Lock()
	defer r.sending.mu.Unlock()
	if c := r.conn; r.sent {
		c.sent -= bytes
		if c.taken += bytes; c.taken >= stallBytes {
			c.since, c.taken = time.Now(), 0
		}
	}
	r.count(-bytes)
	r.sending.admit(r.conn)
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
	r.sending.drop(c)
}

// meter has the buffers of a message give back what is reserved for it. What is left
// beyond them is given back with the last.
func (r *Reserved) meter(data mem.BufferSlice) mem.BufferSlice {
	r.Sent(0)
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
