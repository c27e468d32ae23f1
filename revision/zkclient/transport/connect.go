package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	// maxConnectResponse is far above the 41 bytes of a real one, in bytes.
	maxConnectResponse = 4 << 10
	// connectHeadSize is that of protocol version, timeout, session id and the
	// password's length.
	connectHeadSize = 20
	// leastTimeout is below each session timeout that a server grants, in
	// milliseconds. The client pings three times in each.
	leastTimeout = 10
)

// connectResponse waits for the first answer and judges it. What comes instead
// is named as far as it was received.
func (g *Guard) connectResponse() error {
	length, err := g.connectFrame()
	if err != nil {
		if received := g.buf[g.r:g.w]; len(received) > 0 && !isRefusal(err) {
			err = g.stranger("is cut off")
		}
		return err
	}
	body := g.buf[g.r+lengthSize : g.r+lengthSize+length]
	millis := int32(binary.BigEndian.Uint32(body[4:]))
	session := int64(binary.BigEndian.Uint64(body[8:]))
	password := int64(int32(binary.BigEndian.Uint32(body[16:])))
	switch {
	case password < -1, password > int64(length-connectHeadSize):
		return g.stranger(fmt.Sprintf("has a password of %d bytes in %d", password, length))
	case session != 0 && millis < leastTimeout:
		return g.stranger(fmt.Sprintf("grants a session for %d ms", millis))
	}
	if session != 0 {
		g.timeout.Store(int64(time.Duration(millis) * time.Millisecond))
		if g.cfg.Granted != nil {
			if err := g.introduce(lengthSize + length); err != nil {
				return err
			}
		}
	}
	g.body.begin(formAny, 0, 0)
	g.left = lengthSize + length
	return nil
}

// connectFrame waits for a whole first answer, unless its first bytes show that
// it is none.
func (g *Guard) connectFrame() (length int, err error) {
	if err := g.fill(lengthSize); err != nil {
		return 0, err
	}
	length = int(int32(binary.BigEndian.Uint32(g.buf[g.r:])))
	if length < connectHeadSize || length > maxConnectResponse-lengthSize {
		return 0, g.stranger(fmt.Sprintf("begins with a length of %d", length))
	}
	if err := g.fill(http2HeadSize); err != nil {
		return 0, err
	}
	if isHTTP2(g.buf[g.r:g.w]) { // whose first bytes look like a length
		return 0, g.stranger("is HTTP/2's")
	}
	return length, g.fill(lengthSize + length)
}

// stranger is the refusal of what is not ZooKeeper: by what it speaks, or else by
// what is the matter with its first answer.
func (g *Guard) stranger(matter string) error {
	return &refusal{stranger(g.buf[g.r:g.w], matter)}
}

func isRefusal(err error) bool {
	r := new(refusal)
	return errors.As(err, &r)
}

// introduce runs Granted while the connect response, of size bytes, waits in the
// buffer for the client.
func (g *Guard) introduce(size int) error {
	kept := append([]byte(nil), g.buf[g.r:g.r+size]...)
	if g.r += size; g.r < g.w {
		return badFrame("it comes before anything was asked")
	}
	speech := &frames{g: g}
	err := g.cfg.Granted(speech)
	switch {
	case err != nil && speech.broken != nil && errors.Is(err, speech.broken):
		return err // the connection's own
	case err != nil:
		return &refusal{err}
	}
	if g.r < g.w {
		return badFrame("it comes before anything was asked")
	}
	g.r, g.w = 0, copy(g.buf[:], kept)
	return nil
}

// Frames speaks ZooKeeper's protocol in place of the client, for as long as
// Granted runs.
type Frames interface {
	// Call sends a request and waits for its reply. The body is what follows xid
	// and opcode, and stays the caller's; the reply's belongs to the caller, too.
	// Code is the server's (KeeperException.Code), 0 for success. Xids may be
	// used again by the client. Its errors are those of Guard.Err.
	Call(xid, opcode int32, body []byte) (reply []byte, code int32, err error)
}

type frames struct {
	g      *Guard
	broken error // the connection's, if it has ended
}

func (f *frames) Call(xid, opcode int32, body []byte) (reply []byte, code int32, err error) {
	reply, code, err = f.g.call(xid, opcode, body)
	if err != nil && !isRefusal(err) {
		f.broken = err
	}
	return reply, code, err
}

func (g *Guard) call(xid, opcode int32, body []byte) (reply []byte, code int32, err error) {
	const head = 12 // length, xid and opcode
	sent := make([]byte, head, head+len(body))
	binary.BigEndian.PutUint32(sent, uint32(head-lengthSize+len(body)))
	binary.BigEndian.PutUint32(sent[4:], uint32(xid))
	binary.BigEndian.PutUint32(sent[8:], uint32(opcode))
	if _, err := g.Write(append(sent, body...)); err != nil {
		return nil, 0, err
	}
	if _, _, err := g.reply(); err != nil {
		return nil, 0, err
	}
	frame := make([]byte, g.left)
	for got := 0; g.left > 0; {
		n, err := g.read(frame[got:])
		if err != nil {
			return nil, 0, err
		}
		got += n
	}
	if len(frame) < lengthSize+headerSize || int32(binary.BigEndian.Uint32(frame[lengthSize:])) != xid {
		return nil, 0, badFrame("it answers another request than the one that was sent")
	}
	frame = frame[lengthSize:]
	return frame[headerSize:], int32(binary.BigEndian.Uint32(frame[12:])), nil
}
