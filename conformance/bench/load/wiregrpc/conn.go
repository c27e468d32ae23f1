package wiregrpc

import (
	"context"
	"errors"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/status"
)

// Conn is a connection. Its methods may be called from many goroutines at once.
type Conn struct {
	socket net.Conn
	out    outlet
	in     inlet
	done   chan struct{} // closed when the reader has ended

	mu      sync.Mutex // guards what follows
	streams map[uint32]*stream
	quota   quota
	// err says why no stream can be opened any more. Those that are open may still come to their end.
	err error
}

// Dial connects to host:port. The context bounds nothing but that.
func Dial(ctx context.Context, endpoint string) (*Conn, error) {
	socket, err := new(net.Dialer).DialContext(ctx, "tcp", endpoint)
	if err != nil {
		return nil, broken(err)
	}
	return newConn(socket, endpoint)
}

// newConn greets the server at the other end of a socket, which it takes over.
func newConn(socket net.Conn, authority string) (*Conn, error) {
	c := &Conn{
		socket: socket, out: newOutlet(socket, authority), in: newInlet(socket), done: make(chan struct{}),
		streams: map[uint32]*stream{}, quota: newQuota(),
	}
	if err := c.out.greet(); err != nil {
		socket.Close()
		return nil, broken(err)
	}
	go func() {
		defer close(c.done)
		c.end(c.readFrames())
	}()
	return c, nil
}

var errClosed = errors.New("it was closed")

// Close ends all calls and returns when the last Scanner has been called. No Scanner may call it.
func (c *Conn) Close() {
	c.fail(errClosed)
	<-c.done
}

// fail makes the reader end, and all streams with it: they cannot be ended here, since the caller may hold a lock.
func (c *Conn) fail(cause error) {
	c.refuse(broken(cause))
	c.socket.Close()
}

// refuse lets no more streams be opened. The first reason counts.
func (c *Conn) refuse(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = reason
	}
}

// end is the reader's last act.
func (c *Conn) end(cause error) {
	c.fail(cause)
	c.finishBeyond(0)
}

// finishBeyond ends the streams whose id is greater than last with the reason that no more are opened.
func (c *Conn) finishBeyond(last uint32) {
	c.mu.Lock()
	var lost []*stream
	for id, s := range c.streams {
		if id > last {
			lost = append(lost, s)
		}
	}
	reason := c.err
	c.mu.Unlock()
	for _, s := range lost {
		c.finish(s, reason)
	}
}

// lastID is the greatest id that a stream can have.
const lastID = 1<<31 - 1

// register gives a stream its id. The outlet is held, so that ids ascend on the wire.
func (c *Conn) register(s *stream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.out.next > lastID {
		c.err = broken(errors.New("it has no more ids for streams"))
	}
	if c.err != nil {
		return c.err
	}
	s.id, s.window, s.gone, s.closed = c.out.next, c.quota.initial, false, false
	c.out.next += 2
	c.streams[s.id] = s
	return nil
}

// find returns nil for a stream that has ended.
func (c *Conn) find(id uint32) *stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[id]
}

// remove takes a stream out, so that nothing is sent in it any more, and says whether it was there: who took it out ends
// it.
func (c *Conn) remove(s *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.gone {
		return false
	}
	s.gone = true
	delete(c.streams, s.id)
	c.quota.wake()
	return true
}

// finish ends a stream that the server knows to have ended.
func (c *Conn) finish(s *stream, err error) {
	if c.remove(s) {
		s.end(err)
	}
}

// finishAnswered ends a stream whose answer is complete. A server that may still wait for requests is told not to.
func (c *Conn) finishAnswered(s *stream, err error) {
	if !c.remove(s) {
		return
	}
	if !s.closed {
		c.reset(s.id, http2.ErrCodeNo)
	}
	s.end(err)
}

// cancel ends a stream of which the server does not know that it has.
func (c *Conn) cancel(s *stream, err error) {
	if c.remove(s) {
		c.reset(s.id, http2.ErrCodeCancel)
		s.end(err)
	}
}

// canceled ends a stream whose context has ended.
func (c *Conn) canceled(ctx context.Context, s *stream) {
	c.cancel(s, status.FromContextError(ctx.Err()).Err())
}
