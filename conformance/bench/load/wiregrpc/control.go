package wiregrpc

import "golang.org/x/net/http2"

// readControl reads a frame that carries no part of a request or a reply.
func (c *Conn) readControl(h http2.FrameHeader) error {
	frame, err := c.in.frames.ReadFrameForHeader(h)
	if err != nil {
		return err
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		return c.write(func(w *http2.Framer) error { return w.WritePing(true, f.Data) })
	case *http2.WindowUpdateFrame:
		return c.widen(h.StreamID, f.Increment)
	case *http2.RSTStreamFrame:
		if s := c.find(h.StreamID); s != nil {
			c.finish(s, resetError(f.ErrCode))
		}
	case *http2.GoAwayFrame:
		c.refuse(goneAway(f))
		c.finishBeyond(f.LastStreamID)
	case *http2.PushPromiseFrame:
		return violation("it pushes")
	}
	return nil // PRIORITY says nothing to a client, and unknown frames are to be ignored
}

// settings obeys before it says so.
func (c *Conn) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if err := f.ForeachSetting(c.obey); err != nil {
		return err
	}
	return c.write(func(w *http2.Framer) error {
		if size, ok := f.Value(http2.SettingHeaderTableSize); ok {
			c.out.limitTable(size)
		}
		return w.WriteSettingsAck()
	})
}
