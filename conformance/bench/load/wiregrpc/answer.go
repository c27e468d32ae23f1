package wiregrpc

import (
	"net/url"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// answer is the head or the trailers of a reply while they come, in HEADERS and any number of CONTINUATION.
type answer struct {
	decoder *hpack.Decoder
	stream  uint32
	last    bool // the stream ends with it

	http    string // :status
	code    string // grpc-status
	message string // grpc-message
}

// decoderTable is the size of the decoder's table, HTTP/2's default.
const decoderTable = 4096

func newAnswer() *answer {
	a := &answer{}
	a.decoder = hpack.NewDecoder(decoderTable, a.field)
	return a
}

func (a *answer) begin(h http2.FrameHeader) {
	a.stream, a.last = h.StreamID, h.Flags.Has(http2.FlagHeadersEndStream)
	a.http, a.code, a.message = "", "", ""
}

func (a *answer) field(f hpack.HeaderField) {
	switch f.Name {
	case ":status":
		a.http = f.Value
	case "grpc-status":
		a.code = f.Value
	case "grpc-message":
		a.message = f.Value
	}
}

// refused says whether the head is not one of a gRPC server. Trailers have no :status.
func (a *answer) refused() bool { return a.http != "" && a.http != "200" }

// status is what the answer says of the call.
func (a *answer) status() error {
	code, err := strconv.ParseUint(a.code, 10, 32)
	switch {
	case a.code == "" && a.refused():
		return status.Errorf(codes.Unknown, "the answer has the HTTP status %s", a.http)
	case a.code == "":
		return internal("the stream ended without a status")
	case err != nil:
		return status.Errorf(codes.Internal, "grpc-status is %q", a.code)
	}
	message, err := url.PathUnescape(a.message)
	if err != nil {
		message = a.message // gRPC says that what cannot be decoded is to be taken as it is
	}
	return status.Error(codes.Code(code), message)
}

// readHeaders reads HEADERS or CONTINUATION. Those of a stream that has ended are read too, for the decoder's table.
func (c *Conn) readHeaders(h http2.FrameHeader) error {
	a := c.in.answer
	size, padding := int(h.Length), 0
	if h.Type == http2.FrameHeaders {
		if h.StreamID == 0 {
			return violation("HEADERS on stream 0")
		}
		a.begin(h)
		var err error
		if size, padding, err = c.readPadding(h); err != nil {
			return err
		}
		if h.Flags.Has(http2.FlagHeadersPriority) {
			if size -= prioritySize; size < 0 {
				return violation("HEADERS are too short for a priority")
			}
			if err := c.skip(prioritySize); err != nil {
				return err
			}
		}
	}
	fragment, err := c.in.buffer.Peek(size)
	if err != nil {
		return err
	}
	if _, err := a.decoder.Write(fragment); err != nil {
		return err
	}
	if err := c.skip(size + padding); err != nil || !h.Flags.Has(http2.FlagHeadersEndHeaders) {
		return err
	}
	return c.answered(a)
}

// prioritySize is what a priority takes in HEADERS, in bytes.
const prioritySize = 5

// answered takes an answer that is complete.
func (c *Conn) answered(a *answer) error {
	if err := a.decoder.Close(); err != nil {
		return err
	}
	s := c.find(a.stream)
	switch {
	case s == nil || !a.last && !a.refused():
	case !a.last:
		c.cancel(s, a.status())
	default:
		err := a.status()
		if err == nil && s.message.partial() {
			err = internal("the stream ended in the middle of a message")
		}
		c.finishAnswered(s, err)
	}
	return nil
}
