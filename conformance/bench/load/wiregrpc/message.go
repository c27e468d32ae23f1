package wiregrpc

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A message has a prefix on the wire:
//
//	0      1 if it is compressed, else 0
//	1..4   its length, big endian
const prefixSize = 5

// message is what remains to be sent of one.
type message struct {
	prefix [prefixSize]byte
	sent   int // of prefix and body
	size   int // of both; 0 if there is no message, but only the end of all
	body   []byte
	final  bool // ends the stream's requests
}

func newMessage(body []byte, final bool) message {
	m := message{size: prefixSize + len(body), body: body, final: final}
	binary.BigEndian.PutUint32(m.prefix[1:], uint32(len(body)))
	return m
}

func (m *message) len() int { return m.size - m.sent }

func (m *message) writeTo(w *bufio.Writer, n int) error {
	if m.sent < prefixSize && n > 0 {
		part := m.prefix[m.sent:min(prefixSize, m.sent+n)]
		if _, err := w.Write(part); err != nil {
			return err
		}
		m.sent, n = m.sent+len(part), n-len(part)
	}
	if n > 0 {
		from := m.sent - prefixSize
		if _, err := w.Write(m.body[from : from+n]); err != nil {
			return err
		}
		m.sent += n
	}
	return nil
}

// assembly is a message that comes in. Its buffer is used for one message after the other.
type assembly struct {
	prefix [prefixSize]byte
	got    int // of prefix and body
	body   []byte
}

// restart forgets the message.
func (a *assembly) restart() { a.got, a.body = 0, a.body[:0] }

// partial says whether the message has begun.
func (a *assembly) partial() bool { return a.got > 0 }

// whole says whether it is there.
func (a *assembly) whole() bool { return a.got >= prefixSize && a.got == prefixSize+len(a.body) }

// read takes at most n bytes that belong to the message, and at least one.
func (a *assembly) read(in io.Reader, n int) (int, error) {
	into := a.prefix[min(a.got, prefixSize):]
	if a.got >= prefixSize {
		into = a.body[a.got-prefixSize:]
	}
	n, err := io.ReadFull(in, into[:min(n, len(into))])
	a.got += n
	return n, err
}

// begin makes room for the message when its prefix is there.
func (a *assembly) begin() error {
	if a.got != prefixSize {
		return nil
	}
	if a.prefix[0] != 0 {
		return internal("a message is compressed, which was not asked for")
	}
	size := binary.BigEndian.Uint32(a.prefix[1:])
	if size > math.MaxInt32 {
		return status.Errorf(codes.ResourceExhausted, "a message has %d bytes", size)
	}
	a.body = slices.Grow(a.body[:0], int(size))[:size]
	return nil
}
