package wiregrpc

import (
	"context"
	"io"
	"math"

	"golang.org/x/net/http2"
)

// quota is what the server lets a connection send. Its Conn's mu guards it, and the windows of the streams.
//
// A window is how many bytes of DATA may still be sent: the connection's, and each stream's. What is sent comes off
// both, WINDOW_UPDATE adds to one. A stream's may become negative when SETTINGS make all of them smaller.
type quota struct {
	window  int64
	initial int64 // window of a new stream
	frame   int   // the longest frame that the server takes
	// opened is closed when a window has grown or a stream has ended; nil while nobody waits.
	opened chan struct{}
}

// HTTP/2's defaults, until SETTINGS say otherwise.
const (
	defaultWindow = 65535
	defaultFrame  = 16384
)

func newQuota() quota {
	return quota{window: defaultWindow, initial: defaultWindow, frame: defaultFrame}
}

func (q *quota) wake() {
	if q.opened != nil {
		close(q.opened)
		q.opened = nil
	}
}

// reserve takes up to want bytes, as many as may be sent in one frame now, which may be none. It fails with io.EOF when
// the stream has ended. The frame that has the last of them ends the stream's requests if they are final.
func (c *Conn) reserve(s *stream, want int, final bool) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.gone {
		return 0, io.EOF
	}
	n = int(max(0, min(int64(want), c.quota.window, s.window, int64(c.quota.frame))))
	c.quota.window -= int64(n)
	s.window -= int64(n)
	s.closed = final && n == want
	return n, nil
}

// await returns when the stream may send again, with io.EOF when it has ended.
func (c *Conn) await(ctx context.Context, s *stream) error {
	for {
		c.mu.Lock()
		if s.gone {
			c.mu.Unlock()
			return io.EOF
		}
		if c.quota.window > 0 && s.window > 0 {
			c.mu.Unlock()
			return nil
		}
		if c.quota.opened == nil {
			c.quota.opened = make(chan struct{})
		}
		opened := c.quota.opened
		c.mu.Unlock()
		select {
		case <-opened:
		case <-ctx.Done():
			c.canceled(ctx, s)
			return io.EOF
		}
	}
}

// widen applies a WINDOW_UPDATE. One for a stream that has ended comes to nothing.
func (c *Conn) widen(id uint32, by uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	window := &c.quota.window
	if id != 0 {
		s := c.streams[id]
		if s == nil {
			return nil
		}
		window = &s.window
	}
	if *window += int64(by); *window > math.MaxInt32 {
		return violation("the window of stream %d grows to %d", id, *window)
	}
	c.quota.wake()
	return nil
}

// obey applies one of the SETTINGS that concern the quota.
func (c *Conn) obey(s http2.Setting) error {
	if err := s.Valid(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.ID {
	case http2.SettingMaxFrameSize:
		c.quota.frame = int(s.Val)
	case http2.SettingInitialWindowSize:
		by := int64(s.Val) - c.quota.initial
		c.quota.initial += by
		for _, open := range c.streams {
			open.window += by
		}
		c.quota.wake()
	}
	return nil
}
