package wiregrpc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// outlet is what a connection writes with. The lock is held from the first byte of what belongs together, a request's
// HEADERS and DATA, to the flush after the last one.
type outlet struct {
	sync.Mutex
	buffer    *bufio.Writer
	frames    *http2.Framer
	authority string
	next      uint32 // id of the next stream
	block     bytes.Buffer
	encoder   *hpack.Encoder    // into block
	known     map[string][]byte // header blocks by method
}

// outgoing is how much is written at once, if there is so much.
const outgoing = 32 << 10 // bytes

func newOutlet(socket net.Conn, authority string) outlet {
	buffer := bufio.NewWriterSize(socket, outgoing)
	return outlet{buffer: buffer, frames: http2.NewFramer(buffer, nil), authority: authority, next: 1, known: map[string][]byte{}}
}

// greet writes what a client begins with.
func (o *outlet) greet() error {
	o.encoder = hpack.NewEncoder(&o.block)
	if _, err := o.buffer.WriteString(http2.ClientPreface); err != nil {
		return err
	}
	if err := o.frames.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: receiveWindow},
	); err != nil {
		return err
	}
	if err := o.frames.WriteWindowUpdate(0, receiveWindow-defaultWindow); err != nil {
		return err
	}
	return o.buffer.Flush()
}

// headers writes a request's HEADERS.
func (o *outlet) headers(id uint32, method string, metadata []string) error {
	block := o.known[method]
	if block == nil || len(metadata) > 0 {
		var err error
		if block, err = o.encode(method, metadata); err != nil {
			return err
		}
	}
	return o.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true})
}

// encode makes a request's header block. Each field goes into the encoder's table the first time, after that it is a
// byte. When all are, the block stays the same until something else goes into the table.
func (o *outlet) encode(method string, metadata []string) ([]byte, error) {
	fields := []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: method},
		{Name: ":authority", Value: o.authority},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "te", Value: "trailers"},
	}
	for i := 0; i+1 < len(metadata); i += 2 {
		fields = append(fields, hpack.HeaderField{Name: metadata[i], Value: metadata[i+1]})
	}
	o.block.Reset()
	for _, f := range fields {
		if err := o.encoder.WriteField(f); err != nil {
			return nil, err
		}
	}
	switch {
	case o.block.Len() > len(fields):
		clear(o.known)
	case len(metadata) == 0:
		o.known[method] = bytes.Clone(o.block.Bytes())
	}
	return o.block.Bytes(), nil
}

// limitTable obeys SETTINGS_HEADER_TABLE_SIZE. The next block that is encoded begins with the new size.
func (o *outlet) limitTable(size uint32) {
	o.encoder.SetMaxDynamicTableSizeLimit(size)
	clear(o.known)
}

// data writes a frame with the next n bytes of a message. http2.Framer would copy them once more.
func (o *outlet) data(id uint32, m *message, n int) error {
	header := append(o.buffer.AvailableBuffer(), byte(n>>16), byte(n>>8), byte(n), byte(http2.FrameData), 0)
	if m.final && n == m.len() {
		header[len(header)-1] = byte(http2.FlagDataEndStream)
	}
	if _, err := o.buffer.Write(binary.BigEndian.AppendUint32(header, id)); err != nil {
		return err
	}
	return m.writeTo(o.buffer, n)
}
