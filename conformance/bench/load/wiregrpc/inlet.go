package wiregrpc

import (
	"bufio"
	"net"

	"golang.org/x/net/http2"
)

// inlet is what a connection reads with. It is the reader's own.
type inlet struct {
	buffer  *bufio.Reader
	frames  *http2.Framer
	answer  *answer
	owed    int  // bytes that have come since the server was last told that it may send more
	written bool // something was written by the reader and not yet flushed
}

const (
	// receiveWindow is how much the server may send before it is told to go on, in bytes, on the connection and on each
	// stream. It is told when half of it has come.
	receiveWindow = 16 << 20
	// incoming is how much is read at once. Frames are not longer than defaultFrame, since no more is allowed.
	incoming = 64 << 10
)

func newInlet(socket net.Conn) inlet {
	buffer := bufio.NewReaderSize(socket, incoming)
	frames := http2.NewFramer(nil, buffer)
	frames.SetMaxReadFrameSize(defaultFrame)
	return inlet{buffer: buffer, frames: frames, answer: newAnswer()}
}

// readFrames reads until the connection breaks.
func (c *Conn) readFrames() error {
	if err := c.readPreface(); err != nil {
		return err
	}
	for {
		if c.in.buffer.Buffered() == 0 {
			if err := c.flushReader(); err != nil {
				return err
			}
		}
		h, err := c.in.frames.ReadFrameHeader()
		if err != nil {
			return err
		}
		switch h.Type {
		case http2.FrameData:
			err = c.readData(h)
		case http2.FrameHeaders, http2.FrameContinuation:
			err = c.readHeaders(h)
		default:
			err = c.readControl(h)
		}
		if err != nil {
			return err
		}
	}
}

// readPreface reads the SETTINGS that come first.
func (c *Conn) readPreface() error {
	h, err := c.in.frames.ReadFrameHeader()
	if err != nil {
		return err
	}
	if h.Type != http2.FrameSettings || h.Flags.Has(http2.FlagSettingsAck) {
		return violation("it begins with %v", h)
	}
	return c.readControl(h)
}

// write writes a frame for the reader. It is flushed before the reader waits, so that what comes together is answered
// together.
func (c *Conn) write(do func(*http2.Framer) error) error {
	c.out.Lock()
	defer c.out.Unlock()
	c.in.written = true
	return do(c.out.frames)
}

func (c *Conn) flushReader() error {
	if !c.in.written {
		return nil
	}
	c.in.written = false
	c.out.Lock()
	defer c.out.Unlock()
	return c.out.buffer.Flush()
}

// readData reads a DATA frame into the message that its stream is gathering.
func (c *Conn) readData(h http2.FrameHeader) error {
	if h.StreamID == 0 {
		return violation("DATA on stream 0")
	}
	if err := c.replenish(0, &c.in.owed, int(h.Length)); err != nil {
		return err
	}
	n, padding, err := c.readPadding(h)
	if err != nil {
		return err
	}
	s := c.find(h.StreamID)
	if s == nil {
		return c.skip(n + padding)
	}
	for n > 0 {
		some, err := s.message.read(c.in.buffer, n)
		if err != nil {
			return err
		}
		n -= some
		if err := s.accept(); err != nil {
			c.cancel(s, err)
			return c.skip(n + padding)
		}
	}
	if h.Flags.Has(http2.FlagDataEndStream) {
		c.finishAnswered(s, internal("the stream ended without a status"))
		return c.skip(padding)
	}
	if err := c.skip(padding); err != nil {
		return err
	}
	return c.replenish(s.id, &s.owed, int(h.Length))
}

// readPadding returns how much of the payload of DATA or HEADERS is content, and how much padding.
func (c *Conn) readPadding(h http2.FrameHeader) (content, padding int, err error) {
	content = int(h.Length)
	if !h.Flags.Has(http2.FlagDataPadded) {
		return content, 0, nil
	}
	if content == 0 {
		return 0, 0, violation("a padded frame is empty")
	}
	b, err := c.in.buffer.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	if padding = int(b); padding > content-1 {
		return 0, 0, violation("%d bytes of padding in a frame of %d", padding, content)
	}
	return content - 1 - padding, padding, nil
}

func (c *Conn) skip(n int) error {
	_, err := c.in.buffer.Discard(n)
	return err
}

// replenish counts what has come on a stream, or on the connection with the id 0, and lets the server send as much
// again when it is half of what it may send.
func (c *Conn) replenish(id uint32, owed *int, n int) error {
	if *owed += n; *owed < receiveWindow/2 {
		return nil
	}
	by := uint32(*owed)
	*owed = 0
	return c.write(func(f *http2.Framer) error { return f.WriteWindowUpdate(id, by) })
}
