package transport

import (
	"encoding/binary"
	"errors"
	"time"
)

// Requests of one's own go out beside the Go client's, on the same connection and
// in the order of their writing, and their replies never reach the client. That
// spares the hot paths the client's two queues, each a goroutine that has to be
// woken for every request: what sends writes by itself, and the goroutine that reads
// the connection hands the reply over.
//
// A write of one's own must not have to wait, since its caller may be a handler whose
// client has a deadline. So nothing is sent while another request is written, nor while
// much is unanswered: what is unanswered bounds what lies in the system's buffers.

// ErrBusy says that a request was not sent, since its write might have to wait.
var ErrBusy = errors.New("the connection is busy")

const (
	// OwnHead is how many bytes the caller leaves free before a request's body.
	OwnHead = 12
	// firstOwn is the smallest xid of one's own requests. The client counts up
	// from 1; the guard ends a connection on which it has come this far.
	firstOwn int32 = 1 << 30
	// mostUnanswered is how many bytes of requests may be unanswered, the client's
	// included, when one of one's own is sent. A socket's buffers hold as much.
	mostUnanswered = 64 << 10
)

// Answer is called once with the outcome of a request of one's own: the body and the
// code of its reply (KeeperException.Code; 0 is success), or an error, after which the
// request may still take effect. The body is the guard's, and valid until Answer
// returns. It runs on the goroutine that reads the connection, on that which ends it,
// or on that which gives the call up: it must not wait for another reply.
type Answer func(body []byte, code int32, err error)

// Call is a request of one's own under way.
type Call struct {
	owed   *requests
	answer Answer // nil once it was called; under owed.mu
}

// GiveUp answers the call with an error, unless it was answered.
func (c *Call) GiveUp(err error) {
	if answer := c.settle(); answer != nil {
		answer(nil, 0, err)
	}
}

// settle returns the call's answer to the one that may call it.
func (c *Call) settle() Answer {
	c.owed.mu.Lock()
	defer c.owed.mu.Unlock()
	answer := c.answer
	c.answer = nil
	return answer
}

// Begin sends a request of one's own; see above. The frame has OwnHead bytes of room
// before the body, and is the guard's until Begin returns. Errors, after which nothing
// was sent and answer is not called: ErrBusy; why the connection has ended. The
// session must have been granted.
func (g *Guard) Begin(opcode int32, frame []byte, answer Answer) (*Call, error) {
	if !g.writing.TryLock() {
		return nil, ErrBusy
	}
	defer g.writing.Unlock()
	call := &Call{owed: &g.owed, answer: answer}
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-lengthSize))
	binary.BigEndian.PutUint32(frame[8:], uint32(opcode))
	if err := g.owed.noteOwn(frame, formOf(opcode), call); err != nil {
		return nil, err
	}
	g.Conn.SetWriteDeadline(time.Now().Add(g.cfg.Limit)) // the write tells if it failed
	if _, err := g.Conn.Write(frame); err != nil {
		// Part of it may be out: nothing else can be sent. Who reads finds the end.
		g.Conn.Close()
	}
	return call, nil
}

// Abandon answers all requests of one's own that are under way, and lets none begin.
func (g *Guard) Abandon(err error) { g.owed.abandon(err) }

// noteOwn gives a request of one's own its xid.
func (r *requests) noteOwn(frame []byte, f form, call *Call) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended != nil {
		return r.ended
	}
	if r.bytes > 0 && r.bytes+len(frame) > mostUnanswered {
		return ErrBusy
	}
	r.lastOwn = max(r.lastOwn, firstOwn-1)
	if r.lastOwn++; r.lastOwn < 0 {
		r.lastOwn = firstOwn
	}
	binary.BigEndian.PutUint32(frame[lengthSize:], uint32(r.lastOwn))
	r.traffic.sent(int32(binary.BigEndian.Uint32(frame[8:])))
	r.add(request{xid: r.lastOwn, form: f, size: len(frame), own: call})
	return nil
}

func (r *requests) abandon(err error) {
	r.mu.Lock()
	if r.ended == nil {
		r.ended = err
	}
	var answers []Answer
	for _, q := range r.open[r.head:] {
		if q.own != nil && q.own.answer != nil {
			answers = append(answers, q.own.answer)
			q.own.answer = nil
		}
	}
	r.mu.Unlock()
	for _, answer := range answers {
		answer(nil, 0, err)
	}
}

// deliver takes the frame under way, of which the buffer's part was judged, and
// answers the call that it belongs to.
func (g *Guard) deliver(call *Call, code int32) error {
	frame := g.buf[g.r:min(g.w, g.r+g.left)]
	if len(frame) == g.left {
		g.r += g.left
		g.left = 0
	} else {
		frame = make([]byte, g.left)
		for got := 0; g.left > 0; {
			n, err := g.read(frame[got:])
			if err != nil {
				return err
			}
			got += n
		}
	}
	g.under = nil
	if answer := call.settle(); answer != nil {
		answer(frame[lengthSize+headerSize:], code, nil)
	}
	return nil
}

// SetWriteDeadline is the client's, before and after each of its writes.
func (g *Guard) SetWriteDeadline(t time.Time) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	return g.Conn.SetWriteDeadline(t)
}
