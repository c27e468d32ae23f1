package wiregrpc

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// limit and tick are for conditions that another goroutine brings about.
const (
	limit = 10 * time.Second
	tick  = time.Millisecond
)

// gather reads a request's DATA up to so many bytes.
func (p *peer) gather(size int) (got []byte, frames []int) {
	for len(got) < size {
		f := next[*http2.DataFrame](p)
		got, frames = append(got, f.Data()...), append(frames, int(f.Length))
	}
	if len(got) > size {
		panic(fmt.Sprintf("%d bytes in place of %d", len(got), size))
	}
	return got, frames
}

func initial(window uint32) http2.Setting {
	return http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}
}

// A PING that is answered shows that nothing else has been sent before it.
func (p *peer) silent() {
	must(p.WritePing(false, [8]byte{1}))
	for {
		f, err := p.ReadFrame()
		must(err)
		switch f := f.(type) {
		case *http2.DataFrame:
			panic(fmt.Sprintf("%d bytes that were not allowed", f.Length))
		case *http2.PingFrame:
			if !f.IsAck() || f.Data != [8]byte{1} {
				panic(f)
			}
			return
		}
	}
}

func TestSendingKeepsToTheStreamsWindow(t *testing.T) {
	request := strings.Repeat("r", 100)
	wire := string(onWire(request))
	settled := make(chan struct{}) // closed when the client has obeyed, or the peer has failed
	conn := script(t, func(p *peer) {
		obeyed := sync.OnceFunc(func() { close(settled) })
		defer obeyed()
		next[*http2.SettingsFrame](p) // the client's
		if !next[*http2.SettingsFrame](p).IsAck() {
			panic("no acknowledgement")
		}
		must(p.WritePing(false, [8]byte{2}))
		if f := next[*http2.PingFrame](p); !f.IsAck() || f.Data != [8]byte{2} {
			panic(f)
		}
		obeyed()
		id, _ := p.request()
		got, _ := p.gather(3)
		p.silent()
		must(p.WriteWindowUpdate(id, 1))
		more, _ := p.gather(1)
		got = append(got, more...)
		must(p.WriteSettings(initial(13))) // ten more than before
		more, _ = p.gather(10)
		got = append(got, more...)
		must(p.WriteSettings(initial(3))) // ten less than nothing
		must(p.WriteWindowUpdate(id, 10))
		p.silent()
		must(p.WriteWindowUpdate(id, 1000))
		more, _ = p.gather(len(wire) - len(got))
		if got = append(got, more...); string(got) != wire {
			panic(string(got))
		}
		p.reply(id, "well")
	}, initial(3))
	// Until the SETTINGS have come HTTP/2's default holds; and the peer looks for acknowledgements before the request.
	<-settled
	require.NoError(t, conn.Invoke(t.Context(), echo, []byte(request), &copied{}))
}

func TestSendingKeepsToTheConnectionsWindow(t *testing.T) {
	conn := script(t, func(p *peer) {
		id, _ := p.request()
		p.gather(defaultWindow)
		must(p.WriteWindowUpdate(id, 1<<20))
		p.silent()
		must(p.WriteWindowUpdate(0, 1<<20))
		p.gather(100_000 + prefixSize - defaultWindow)
		p.reply(id, "well")
	})
	require.NoError(t, conn.Invoke(t.Context(), echo, make([]byte, 100_000), &copied{}))
}

func TestFramesAreNotLongerThanAllowed(t *testing.T) {
	settings := []http2.Setting{initial(1 << 30), {ID: http2.SettingMaxFrameSize, Val: 50_000}}
	conn := script(t, func(p *peer) {
		must(p.WriteWindowUpdate(0, 1<<30))
		p.SetMaxReadFrameSize(1 << 20)
		id, _ := p.request()
		if _, frames := p.gather(120_000 + prefixSize); frames[0] != 50_000 || frames[1] != 50_000 {
			panic(fmt.Sprint(frames))
		}
		p.reply(id, "well")
	}, settings...)
	require.Eventually(t, func() bool {
		conn.mu.Lock()
		defer conn.mu.Unlock()
		return conn.quota.window > 1<<30
	}, limit, tick)
	require.NoError(t, conn.Invoke(t.Context(), echo, make([]byte, 120_000), &copied{}))
}

func TestHeadersKeepToTheTable(t *testing.T) {
	conn := script(t, func(p *peer) {
		for i := range 6 {
			id, fields := p.request()
			if fields[":path"] != echo {
				panic(fmt.Sprint(fields))
			}
			if i == 2 {
				must(p.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}))
				p.decoder.SetAllowedMaxDynamicTableSize(0)
			}
			p.reply(id, "well")
		}
	})
	for range 6 {
		require.NoError(t, conn.Invoke(t.Context(), echo, nil, &copied{}))
	}
}

func TestTheServerIsToldToGoOn(t *testing.T) {
	const size = 20 << 20
	conn := script(t, func(p *peer) {
		id, _ := p.request()
		p.headers(id, false, head...)
		windows := map[uint32]int{0: receiveWindow, id: receiveWindow}
		for wire := onWire(strings.Repeat("z", size)); len(wire) > 0; {
			n := min(len(wire), defaultFrame, windows[0], windows[id])
			if n == 0 {
				f := next[*http2.WindowUpdateFrame](p)
				windows[f.StreamID] += int(f.Increment)
				continue
			}
			must(p.WriteData(id, false, wire[:n]))
			wire = wire[n:]
			windows[0] -= n
			windows[id] -= n
		}
		p.headers(id, true, trailers...)
	})
	var reply copied
	require.NoError(t, conn.Invoke(t.Context(), echo, nil, &reply))
	require.Len(t, reply.body, size)
}
