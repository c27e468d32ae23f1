package wiregrpc

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// canned is a server that sends given bytes after the first request.
type canned struct {
	net.Conn // nil: nothing else is called
	answer   io.Reader
	writes   int // the outlet's lock guards it
	asked    chan struct{}
	ask      sync.Once
}

func (c *canned) Write(p []byte) (int, error) {
	if c.writes++; c.writes == 2 { // the first is the greeting
		c.ask.Do(func() { close(c.asked) })
	}
	return len(p), nil
}

func (c *canned) Read(p []byte) (int, error) {
	<-c.asked
	return c.answer.Read(p)
}

func (c *canned) Close() error {
	c.ask.Do(func() { close(c.asked) })
	return nil
}

// FuzzAnswer has a server send anything. Whatever it is, the call ends, and the connection with the bytes.
func FuzzAnswer(f *testing.F) {
	var good bytes.Buffer
	p := &peer{Framer: http2.NewFramer(&good, nil)}
	p.encoder = hpack.NewEncoder(&p.block)
	must(p.WriteSettings(initial(100)))
	must(p.WritePing(false, [8]byte{1}))
	p.reply(1, "well")
	f.Add(good.Bytes())
	good.Reset()
	must(p.WriteSettings())
	must(p.WriteWindowUpdate(1, 100))
	p.continued(1, false, head...)
	must(p.WriteDataPadded(1, false, onWire("well"), make([]byte, 3)))
	must(p.WriteRSTStream(1, http2.ErrCodeCancel))
	must(p.WriteGoAway(1, http2.ErrCodeNo, nil))
	f.Add(good.Bytes())
	f.Fuzz(func(t *testing.T, answer []byte) {
		conn, err := newConn(&canned{answer: bytes.NewReader(answer), asked: make(chan struct{})}, "fuzz")
		require.NoError(t, err)
		_, _ = conn.Collect(t.Context(), echo, []byte("request"), &copied{})
		select {
		case <-conn.done:
		case <-time.After(limit):
			t.Fatal("the connection does not end")
		}
		conn.Close()
		require.Empty(t, conn.streams)
	})
}
