package wiregrpc

import (
	"context"
	"sync"
)

// Scanner looks at a message in its wire form.
type Scanner interface {
	// Scan is called by the connection's reader, so that it must neither block nor keep the bytes. An error cancels
	// the stream and becomes the reason of its end.
	Scan(message []byte) error
}

// Handler gets what comes in a stream.
type Handler interface {
	Scanner
	// End is called once, after the last Scan: with nil when the server has ended the stream with the status OK, else
	// with the reason. It must not block.
	End(err error)
}

// stream is one call's.
type stream struct {
	id uint32

	// Guarded by the connection's mu.
	window int64 // that the server lets it send
	closed bool  // its requests have ended
	gone   bool  // it is not the connection's any more

	// The reader's own.
	message assembly
	owed    int // bytes that have come since the server was last told that it may send more

	mu      sync.Mutex // held while the handler scans
	handler Handler
	ended   bool
	stop    func() bool // makes the context forget the stream; nil if it does not know it
}

// accept does what is to be done after some of a message has come.
func (s *stream) accept() error {
	if err := s.message.begin(); err != nil {
		return err
	}
	if !s.message.whole() {
		return nil
	}
	body := s.message.body
	s.message.restart()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	return s.handler.Scan(body)
}

// end is called once. No Scan is under way when the handler gets to know it, and none will come; the reader, if it is
// the caller, does not touch the stream after that.
func (s *stream) end(err error) {
	s.mu.Lock()
	s.ended = true
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
	s.handler.End(err)
}

// Stream is a call with many messages both ways. Send and CloseSend are for one goroutine at a time.
type Stream struct {
	stream
	conn *Conn
	ctx  context.Context
}

// Stream opens one. Metadata are pairs of a name in lower case and a value. The stream lives until the server or the
// context ends it.
func (c *Conn) Stream(ctx context.Context, method string, h Handler, metadata ...string) (*Stream, error) {
	s := &Stream{conn: c, ctx: ctx}
	s.handler = h
	if err := c.open(&s.stream, method, metadata, nil); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.canceled(ctx, &s.stream) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		stop()
	}
	s.stop = stop
	return s, nil
}

// Send sends a message. It fails with io.EOF when the stream has ended; End tells why. The bytes may be used again when
// it returns.
func (s *Stream) Send(body []byte) error {
	m := newMessage(body, false)
	return s.conn.send(s.ctx, &s.stream, &m)
}

// CloseSend tells the server that there are no more messages.
func (s *Stream) CloseSend() error {
	c := s.conn
	c.out.Lock()
	defer c.out.Unlock()
	if _, err := c.reserve(&s.stream, 0, true); err != nil {
		return err
	}
	c.flush(c.out.data(s.id, &message{final: true}, 0))
	return nil
}
