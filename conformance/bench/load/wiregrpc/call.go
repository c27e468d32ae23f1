package wiregrpc

import (
	"context"
	"sync"
)

// call is a call with one request. It is reused, together with the buffer of its stream, if it has ended well: then the
// reader has let go of it.
type call struct {
	stream
	reply   Scanner
	replies int
	done    chan error // holds how it ended
}

var calls = sync.Pool{New: func() any {
	c := &call{done: make(chan error, 1)}
	c.handler = c
	return c
}}

// Scan is called by the reader.
func (c *call) Scan(message []byte) error {
	c.replies++
	return c.reply.Scan(message)
}

// End is called by whoever ends the stream.
func (c *call) End(err error) { c.done <- err }

// Invoke makes a unary call. What the server refuses fails with its status; what reply makes an error of, with that.
// Both byte slice and reply are the caller's again when it returns.
func (c *Conn) Invoke(ctx context.Context, method string, request []byte, reply Scanner) error {
	replies, err := c.Collect(ctx, method, request, reply)
	if err == nil && replies != 1 {
		err = internal("a unary call has not exactly one reply")
	}
	return err
}

// Collect makes a call with one request and any number of replies, and returns how many there were.
func (c *Conn) Collect(ctx context.Context, method string, request []byte, reply Scanner) (replies int, err error) {
	call := calls.Get().(*call)
	call.reply, call.replies, call.ended, call.owed = reply, 0, false, 0
	m := newMessage(request, true)
	if err := c.open(&call.stream, method, nil, &m); err != nil {
		return 0, err
	}
	// If it fails, then call has ended or is about to.
	_ = c.send(ctx, &call.stream, &m)
	select {
	case err = <-call.done:
	case <-ctx.Done():
		c.canceled(ctx, &call.stream)
		err = <-call.done
	}
	replies = call.replies
	if err == nil {
		call.reply = nil
		calls.Put(call)
	}
	return replies, err
}
