// Package transport stands between a connection to a ZooKeeper server and the
// Go client that reads it, which believes every length that it is told. What
// listens on a port need not be a ZooKeeper.
//
// A Guard sees both directions, so that it knows to which request each reply
// belongs. It passes on only what the client can decode, and ends the connection
// at anything else, with an error that says what seems to answer:
//
//	connect response: length(4) protocol(4) timeout(4) session(8) password
//	reply:            length(4) xid(4) zxid(8) code(4) body
//	password, body:   made of ints, strings, buffers and vectors, each of the
//	                  latter behind a length of four bytes (ZooKeeper's jute)
//
// A reply may take memory only as far as its request calls for: that of a read
// up to a configured bound, every other one little. No reply is held as a whole
// that is larger than the guard's buffer; its lengths are checked as it passes.
//
// The package imports nothing but the standard library.
package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Why a Guard ends a connection. The error that wraps one of them says what was
// received, and ends with a remedy after a semicolon where there is one.
var (
	// ErrNotZooKeeper says that the first answer is none of a ZooKeeper's.
	ErrNotZooKeeper = errors.New("not ZooKeeper")
	// ErrBadFrame says that a later answer is none that ZooKeeper gives.
	ErrBadFrame = errors.New("a malformed answer")
	// ErrBadRequest says that the client has written something else than one
	// request, which it never does.
	ErrBadRequest = errors.New("a write that is not one ZooKeeper request")
)

// Config is what a Guard needs to know. A bound of 0 is the smallest, that of
// replies without data.
type Config struct {
	// Limit bounds how long a read or a write may take, whatever deadline the
	// client sets.
	Limit time.Duration
	// MaxData bounds a reply to getData, and MaxChildren one that lists
	// children, in bytes.
	MaxData, MaxChildren int
	// Granted, if set, is called once, when a session was granted and before the
	// client hears of it. The client sends nothing until it has returned. Its
	// error ends the connection. It runs under the deadlines that the connection
	// has by then.
	Granted func(Frames) error
	// Traffic, if set, counts what the client sends and receives.
	Traffic *Traffic
}

// readBuffer holds the replies to many appends; large data goes past it.
const readBuffer = 4 << 10

// Guard is a net.Conn for the Go client. One goroutine may read while others
// write. Each Write must be one whole request, which is how the client writes.
// Requests of one's own go out beside the client's; see own.go.
type Guard struct {
	net.Conn
	cfg Config

	owed    requests
	writing sync.Mutex            // held while a request is noted and written
	timeout atomic.Int64          // that was granted, a Duration
	ended   atomic.Pointer[error] // why reading has ended
	refused atomic.Bool           // it was the guard's decision

	// What follows is Read's. The bytes of buf from r to w were received and not
	// given to the client; of these, those of the frame under way were judged.
	buf     [readBuffer]byte
	r, w    int
	left    int // bytes of the frame under way that the client has yet to get
	body    shape
	granted bool  // the connect response was judged
	under   *Call // that the frame under way answers; nil for the client's
}

// New returns a guard in front of a connection on which nothing was sent yet.
func New(conn net.Conn, cfg Config) *Guard {
	return &Guard{Conn: newCappedConn(conn, cfg.Limit), cfg: cfg, owed: requests{traffic: cfg.Traffic}}
}

// SessionTimeout is what the server has granted; 0 before that.
func (g *Guard) SessionTimeout() time.Duration { return time.Duration(g.timeout.Load()) }

// Err is why reading has ended: ErrNotZooKeeper, ErrBadFrame, Granted's error,
// or the connection's own. It is nil until then.
func (g *Guard) Err() error {
	if err := g.ended.Load(); err != nil {
		return *err
	}
	return nil
}

// Refusal is Err, if the guard or Granted has ended the connection; nil if it
// has ended by itself.
func (g *Guard) Refusal() error {
	if g.refused.Load() {
		return g.Err()
	}
	return nil
}

// Read gives the client bytes that were judged. Its errors are those of Err.
func (g *Guard) Read(p []byte) (int, error) {
	if err := g.Err(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := g.read(p)
	if err != nil {
		g.end(err)
		return 0, err
	}
	return n, nil
}

func (g *Guard) read(p []byte) (int, error) {
	if g.left == 0 {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	p = p[:min(len(p), g.left)]
	if g.r == g.w && len(p) >= len(g.buf) { // past the buffer
		n, err := g.receive(p)
		if err == nil {
			err = g.body.feed(p[:n])
		}
		g.left -= n
		return n, err
	}
	if g.r == g.w {
		if err := g.fill(1); err != nil {
			return 0, partly(err)
		}
		if err := g.body.feed(g.buf[:min(g.w, g.left)]); err != nil {
			return 0, err
		}
	}
	n := copy(p, g.buf[g.r:g.w])
	g.r += n
	g.left -= n
	return n, nil
}

// next begins the frame that comes next.
func (g *Guard) next() error {
	for g.granted {
		call, code, err := g.reply()
		if err != nil || call == nil {
			return err
		}
		if err := g.deliver(call, code); err != nil {
			return err
		}
	}
	if err := g.connectResponse(); err != nil {
		return err
	}
	g.granted = true
	return nil
}

// receive reads from the connection; unlike Read's, its error means that nothing
// was received.
func (g *Guard) receive(p []byte) (int, error) {
	const tries = 100 // as many as bufio's
	for range tries {
		n, err := g.Conn.Read(p)
		if n > 0 {
			return n, nil // an error comes again
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// fill waits until the buffer holds n bytes, which it has room for.
func (g *Guard) fill(n int) error {
	if g.r == g.w {
		g.r, g.w = 0, 0
	}
	if g.r+n > len(g.buf) {
		g.w = copy(g.buf[:], g.buf[g.r:g.w])
		g.r = 0
	}
	for g.w-g.r < n {
		got, err := g.receive(g.buf[g.w:])
		if err != nil {
			return err
		}
		g.w += got
	}
	return nil
}

// end keeps why reading has ended, and cuts the connection if that is not its
// own doing.
func (g *Guard) end(err error) {
	refusal := new(refusal)
	if errors.As(err, &refusal) {
		g.refused.Store(true)
	}
	g.ended.Store(&err)
	if g.refused.Load() {
		g.Conn.Close() // nothing is expected of it any more
	}
	g.owed.abandon(err)
	if g.under != nil { // its reply was cut, or refused, midway
		g.under.GiveUp(err)
	}
}

// refusal marks an error that is no connection's own.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// badFrame is a refusal of an answer after the first.
func badFrame(format string, args ...any) error {
	return &refusal{fmt.Errorf("%w: %s", ErrBadFrame, fmt.Sprintf(format, args...))}
}

// partly is the error for an end in the middle of a frame.
func partly(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write sends one request, and notes what its reply may be.
func (g *Guard) Write(p []byte) (int, error) {
	g.writing.Lock()
	defer g.writing.Unlock()
	if err := g.owed.note(p); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}
