package wiregrpc

import (
	"context"

	"golang.org/x/net/http2"
)

// open begins a call with as much of its first message as may be sent, all in one write. If it fails, there is no
// stream, and its handler will hear nothing.
func (c *Conn) open(s *stream, method string, metadata []string, first *message) error {
	c.out.Lock()
	defer c.out.Unlock()
	if err := c.register(s); err != nil {
		return err
	}
	err := c.out.headers(s.id, method, metadata)
	if err == nil && first != nil {
		err = c.push(s, first)
	}
	c.flush(err)
	return nil
}

// send sends what remains of a message. It fails with io.EOF when the stream has ended, the handler knows why.
func (c *Conn) send(ctx context.Context, s *stream, m *message) error {
	for m.len() > 0 {
		if err := c.await(ctx, s); err != nil {
			return err
		}
		c.out.Lock()
		err := c.push(s, m)
		c.flush(err)
		c.out.Unlock()
	}
	return nil
}

// push writes as much of a message as may be sent. If the stream has ended, that is nothing. The outlet is held.
func (c *Conn) push(s *stream, m *message) error {
	for m.len() > 0 {
		n, ended := c.reserve(s, m.len(), m.final)
		if n == 0 || ended != nil {
			return nil
		}
		if err := c.out.data(s.id, m, n); err != nil {
			return err
		}
	}
	return nil
}

// reset tells the server that a stream has ended.
func (c *Conn) reset(id uint32, code http2.ErrCode) {
	c.out.Lock()
	defer c.out.Unlock()
	c.flush(c.out.frames.WriteRSTStream(id, code))
}

// flush sends what was written, unless that has failed. The outlet is held.
func (c *Conn) flush(err error) {
	if err == nil {
		err = c.out.buffer.Flush()
	}
	if err != nil {
		c.fail(err)
	}
}
