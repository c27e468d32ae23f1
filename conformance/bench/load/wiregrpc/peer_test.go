package wiregrpc

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestTheRequest(t *testing.T) {
	conn := script(t, func(p *peer) {
		for _, path := range []string{"/a/A", "/a/A", "/b/B", "/a/A", "/b/B", "/b/B"} {
			id, fields := p.request()
			data := next[*http2.DataFrame](p)
			if !data.StreamEnded() || string(data.Data()) != string(onWire("hello")) {
				panic(string(data.Data()))
			}
			if fields[":path"] != path || fields[":method"] != "POST" || fields["content-type"] != "application/grpc" || fields["te"] != "trailers" {
				panic(path)
			}
			p.reply(id, path)
		}
	})
	var reply copied
	for _, path := range []string{"/a/A", "/a/A", "/b/B", "/a/A", "/b/B", "/b/B"} {
		require.NoError(t, conn.Invoke(t.Context(), path, []byte("hello"), &reply))
		require.Equal(t, path, string(reply.body))
	}
}

func TestPaddingAndPriority(t *testing.T) {
	conn := script(t, func(p *peer) {
		id, _ := p.request()
		must(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.header(head...), EndHeaders: true,
			PadLength: 200, Priority: http2.PriorityParam{StreamDep: 0, Weight: 9}}))
		must(p.WriteDataPadded(id, false, onWire("padded")[:3], make([]byte, 7)))
		must(p.WriteDataPadded(id, false, nil, make([]byte, 255)))
		must(p.WriteDataPadded(id, false, onWire("padded")[3:], make([]byte, 1)))
		must(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.header(trailers...), EndHeaders: true,
			EndStream: true, PadLength: 1}))
	})
	var reply copied
	require.NoError(t, conn.Invoke(t.Context(), echo, nil, &reply))
	require.Equal(t, "padded", string(reply.body))
}

func TestMessagesInAnyPieces(t *testing.T) {
	want := []string{"", "a", strings.Repeat("b", 1000), "", strings.Repeat("c", 300), "d"}
	var wire []byte
	for _, m := range want {
		wire = append(wire, onWire(m)...)
	}
	sizes := []int{1, 2, 4, 5, 6, 999, len(wire)}
	conn := script(t, func(p *peer) {
		for _, size := range sizes {
			id, _ := p.request()
			next[*http2.DataFrame](p)
			p.headers(id, false, head...)
			for piece := range slices.Chunk(wire, size) {
				must(p.WriteData(id, false, nil))
				must(p.WriteData(id, false, piece))
			}
			p.headers(id, true, trailers...)
		}
	})
	for range sizes {
		in := newInbox()
		stream, err := conn.Stream(t.Context(), echo, in)
		require.NoError(t, err)
		require.NoError(t, stream.CloseSend())
		require.NoError(t, <-in.end)
		for _, m := range want {
			require.Equal(t, m, <-in.messages)
		}
	}
}

func TestContinuation(t *testing.T) {
	conn := script(t, func(p *peer) {
		id, _ := p.request()
		p.continued(id, false, append(head, "x", strings.Repeat("y", 300))...)
		must(p.WriteData(id, false, onWire("whole")))
		p.continued(id, true, "grpc-status", "9", "grpc-message", "%zz")
	})
	var reply copied
	err := conn.Invoke(t.Context(), echo, nil, &reply)
	require.Equal(t, codes.FailedPrecondition, status.Code(err))
	require.Equal(t, "%zz", status.Convert(err).Message())
	require.Equal(t, "whole", string(reply.body))
}

// continued sends fields byte by byte.
func (p *peer) continued(id uint32, last bool, fields ...string) {
	block := p.header(fields...)
	must(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:1], EndStream: last}))
	for i := 1; i < len(block); i++ {
		must(p.WriteContinuation(id, i == len(block)-1, block[i:i+1]))
	}
}

func TestResets(t *testing.T) {
	resets := map[http2.ErrCode]codes.Code{
		http2.ErrCodeNo: codes.Internal, http2.ErrCodeProtocol: codes.Internal, http2.ErrCodeRefusedStream: codes.Unavailable,
		http2.ErrCodeCancel: codes.Canceled, http2.ErrCodeEnhanceYourCalm: codes.ResourceExhausted,
		http2.ErrCodeInadequateSecurity: codes.PermissionDenied,
	}
	for reset, code := range resets {
		conn := script(t, func(p *peer) {
			id, _ := p.request()
			must(p.WriteRSTStream(id, reset))
			id, _ = p.request()
			must(p.WriteRSTStream(id-2, reset)) // comes to nothing
			p.reply(id, "well")
		})
		err := conn.Invoke(t.Context(), echo, nil, &copied{})
		require.Equal(t, code, status.Code(err))
		require.NotErrorIs(t, err, ErrBroken)
		require.NoError(t, conn.Invoke(t.Context(), echo, nil, &copied{}))
	}
}

func TestWhatComesTooLateIsIgnored(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	conn := script(t, func(p *peer) {
		first, _ := p.request()
		p.headers(first, false, append(head, "goes", "into the table")...)
		cancel()
		if code := next[*http2.RSTStreamFrame](p).ErrCode; code != http2.ErrCodeCancel {
			panic(code)
		}
		must(p.WriteDataPadded(first, false, onWire("late"), make([]byte, 3)))
		must(p.WriteWindowUpdate(first, 100))
		p.headers(first, true, append(trailers, "goes", "there too")...)
		second, _ := p.request()
		p.reply(second, "well")
	})
	require.Equal(t, codes.Canceled, status.Code(conn.Invoke(ctx, echo, nil, &copied{})))
	var reply copied
	require.NoError(t, conn.Invoke(t.Context(), echo, nil, &reply))
	require.Equal(t, "well", string(reply.body))
}

func TestAGoAwayEndsWhatItDoesNotCover(t *testing.T) {
	conn := script(t, func(p *peer) {
		first, _ := p.request()
		second, _ := p.request()
		must(p.WriteGoAway(first, http2.ErrCodeEnhanceYourCalm, []byte("too many")))
		if second == first {
			panic("one stream")
		}
		next[*http2.PingFrame](p) // by which the test says that the second has failed
		p.reply(first, "well")
	})
	one, two := newInbox(), newInbox()
	_, err := conn.Stream(t.Context(), echo, one)
	require.NoError(t, err)
	_, err = conn.Stream(t.Context(), echo, two)
	require.NoError(t, err)
	err = <-two.end
	requireBroken(t, err)
	require.ErrorContains(t, err, "too many")
	requireBroken(t, conn.Invoke(t.Context(), echo, nil, &copied{}))
	conn.out.Lock()
	conn.flush(conn.out.frames.WritePing(true, [8]byte{}))
	conn.out.Unlock()
	require.NoError(t, <-one.end)
	require.Equal(t, "well", <-one.messages)
}

func TestAnswersThatAreNone(t *testing.T) {
	compressed := onWire("x")
	compressed[0] = 1
	long := onWire("x")
	long[1] = 0x80
	answers := map[string]func(p *peer, id uint32){
		"without a status": func(p *peer, id uint32) { p.headers(id, true, head...) },
		"ended without":    func(p *peer, id uint32) { p.headers(id, false, head...); must(p.WriteData(id, true, onWire("x"))) },
		"404":              func(p *peer, id uint32) { p.headers(id, true, ":status", "404") },
		"502": func(p *peer, id uint32) {
			p.headers(id, false, ":status", "502")
			must(p.WriteData(id, true, []byte("<p>")))
		},
		"grpc-status": func(p *peer, id uint32) { p.headers(id, true, append(head, "grpc-status", "fine")...) },
		"middle": func(p *peer, id uint32) {
			p.headers(id, false, head...)
			must(p.WriteData(id, false, onWire("xyz")[:6]))
			p.headers(id, true, trailers...)
		},
		"compressed": func(p *peer, id uint32) { p.headers(id, false, head...); must(p.WriteData(id, false, compressed)) },
		"bytes":      func(p *peer, id uint32) { p.headers(id, false, head...); must(p.WriteData(id, false, long)) },
	}
	for text, answer := range answers {
		conn := script(t, func(p *peer) {
			id, _ := p.request()
			answer(p, id)
			id, _ = p.request()
			p.reply(id, "well")
		})
		err := conn.Invoke(t.Context(), echo, nil, &copied{})
		require.ErrorContains(t, err, text)
		require.NotEqual(t, codes.OK, status.Code(err))
		require.NoError(t, conn.Invoke(t.Context(), echo, nil, &copied{}), text)
	}
}

func TestViolationsBreakTheConnection(t *testing.T) {
	violations := map[string]func(p *peer, id uint32){
		"DATA on stream 0": func(p *peer, _ uint32) { must(p.WriteData(0, false, nil)) },
		"HEADERS on":       func(p *peer, _ uint32) { p.headers(0, false, head...) },
		"padded frame is":  func(p *peer, id uint32) { must(p.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, id, nil)) },
		"padding in a frame": func(p *peer, id uint32) {
			must(p.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, id, []byte{3, 0, 0}))
		},
		"for a priority": func(p *peer, id uint32) {
			must(p.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersPriority, id, []byte{3, 0, 0}))
		},
		"it pushes": func(p *peer, id uint32) {
			must(p.WritePushPromise(http2.PushPromiseParam{StreamID: id, PromiseID: 2, BlockFragment: p.header(head...), EndHeaders: true}))
		},
		"too large":          func(p *peer, id uint32) { must(p.WriteData(id, false, make([]byte, 16385))) },
		"window of stream 0": func(p *peer, _ uint32) { must(p.WriteWindowUpdate(0, 1<<31-1)) },
		"PROTOCOL_ERROR":     func(p *peer, id uint32) { must(p.WriteContinuation(id, true, nil)) },
		"invalid indexed": func(p *peer, id uint32) {
			must(p.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, id, []byte{0xff, 0}))
		},
		"truncated headers": func(p *peer, id uint32) {
			must(p.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, id, []byte{0x40}))
		},
		"FLOW_CONTROL_ERROR": func(p *peer, _ uint32) {
			must(p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31}))
		},
		"the connection is broken: E": func(p *peer, _ uint32) { must(p.socket.(*net.TCPConn).CloseWrite()) },
	}
	for text, violate := range violations {
		conn := script(t, func(p *peer) {
			id, _ := p.request()
			violate(p, id)
		})
		err := conn.Invoke(t.Context(), echo, nil, &copied{})
		requireBroken(t, err)
		require.ErrorContains(t, err, text)
	}
}

func TestAPeerThatSpeaksSomethingElse(t *testing.T) {
	beginnings := map[string]string{
		"HTTP/1.1":       "HTTP/1.1 400 Bad Request\r\n\r\n",
		"begins with":    "\x00\x00\x08\x06\x00\x00\x00\x00\x00pingping",
		"unexpected EOF": "\x00\x00",
	}
	for text, beginning := range beginnings {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			socket, err := listener.Accept()
			must(err)
			_, err = io.ReadFull(socket, make([]byte, len(http2.ClientPreface)))
			must(err)
			_, err = io.WriteString(socket, beginning)
			must(err)
			must(socket.(*net.TCPConn).CloseWrite())
			_, _ = io.Copy(io.Discard, socket)
			must(socket.Close())
		}()
		conn := dial(t, listener.Addr().String())
		<-conn.done
		err = conn.Invoke(t.Context(), echo, nil, &copied{})
		requireBroken(t, err)
		require.ErrorContains(t, err, text)
		require.NoError(t, listener.Close())
	}
}
