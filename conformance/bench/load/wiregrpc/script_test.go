package wiregrpc

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is a server that does what a test says, for what grpc-go's does not do. It panics when something is wrong, and
// that fails the test.
type peer struct {
	*http2.Framer
	socket  net.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// script connects to a peer, which sends SETTINGS, does what it is to do, and stays until the client closes.
func script(t *testing.T, do func(p *peer), settings ...http2.Setting) *Conn {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if failure := recover(); failure != nil {
				t.Errorf("the peer: %v", failure)
			}
		}()
		socket, err := listener.Accept()
		must(err)
		defer socket.Close()
		_, err = io.ReadFull(socket, make([]byte, len(http2.ClientPreface)))
		must(err)
		p := &peer{Framer: http2.NewFramer(socket, socket), socket: socket, decoder: hpack.NewDecoder(4096, nil)}
		p.AllowIllegalWrites = true
		p.encoder = hpack.NewEncoder(&p.block)
		must(p.WriteSettings(settings...))
		do(p)
		// A socket that is closed before all is read resets the connection, and what was written may be lost.
		_, _ = io.Copy(io.Discard, socket)
	}()
	t.Cleanup(func() {
		<-done
		listener.Close()
	})
	return dial(t, listener.Addr().String())
}

// next reads up to a frame of the type.
func next[F http2.Frame](p *peer) F {
	for {
		f, err := p.ReadFrame()
		must(err)
		if f, ok := f.(F); ok {
			return f
		}
	}
}

// request reads the HEADERS of one, and returns its stream and its fields.
func (p *peer) request() (uint32, map[string]string) {
	f := next[*http2.HeadersFrame](p)
	fields, err := p.decoder.DecodeFull(f.HeaderBlockFragment())
	must(err)
	values := map[string]string{}
	for _, f := range fields {
		values[f.Name] = f.Value
	}
	return f.StreamID, values
}

// header encodes fields: pairs of a name and a value.
func (p *peer) header(fields ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		must(p.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return bytes.Clone(p.block.Bytes())
}

var (
	head     = []string{":status", "200", "content-type", "application/grpc"}
	trailers = []string{"grpc-status", "0", "grpc-message", ""}
)

// headers sends fields in one frame.
func (p *peer) headers(id uint32, last bool, fields ...string) {
	must(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.header(fields...), EndHeaders: true, EndStream: last}))
}

// reply answers a request with a message.
func (p *peer) reply(id uint32, body string) {
	p.headers(id, false, head...)
	must(p.WriteData(id, false, onWire(body)))
	p.headers(id, true, trailers...)
}

// onWire is a message with its prefix.
func onWire(body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
}
