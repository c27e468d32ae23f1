package transport

import (
	"encoding/binary"
	"fmt"
)

const (
	lengthSize = 4
	// headerSize is that of a reply: xid, zxid and code.
	headerSize = 16
	// smallReply bounds a reply that holds no data, and an error, in bytes.
	smallReply = 64 << 10
)

// Xids that are no request's of their own.
const (
	xidEvent int32 = -1
	xidPing  int32 = -2
)

// reply judges the head of the next frame after the first, and as much of the
// rest as the buffer has room for. It returns the call of one's own that it answers,
// and the server's code; a reply to the client has no call.
func (g *Guard) reply() (call *Call, code int32, err error) {
	if err := g.fill(lengthSize); err != nil {
		if g.w > g.r {
			err = partly(err)
		}
		return nil, 0, err
	}
	length := int(int32(binary.BigEndian.Uint32(g.buf[g.r:])))
	if length < headerSize {
		return nil, 0, badFrame("%d bytes long, shorter than its header", length)
	}
	if err := g.fill(lengthSize + headerSize); err != nil {
		return nil, 0, partly(err)
	}
	head := g.buf[g.r+lengthSize:]
	xid := int32(binary.BigEndian.Uint32(head))
	code = int32(binary.BigEndian.Uint32(head[12:]))
	asked, ok := g.owed.take(xid)
	g.under = asked.own
	if !ok {
		return nil, 0, badFrame("it answers request %d, which was not sent", xid)
	}
	if most := g.bound(asked, code); length > most {
		return nil, 0, tooLong(asked.form, length, most)
	}
	if code != 0 {
		asked.form = formAny // the client does not look at what follows
	}
	g.left = lengthSize + length
	if g.left <= len(g.buf) {
		if err := g.fill(g.left); err != nil {
			return nil, 0, partly(err)
		}
	}
	g.body.begin(asked.form, length-headerSize, asked.results())
	return asked.own, code, g.body.feed(g.buf[g.r+lengthSize+headerSize : min(g.w, g.r+g.left)])
}

// bound is how long a reply may be, in bytes: an error is none with data.
func (g *Guard) bound(asked request, code int32) int {
	switch {
	case code != 0:
		return asked.bound()
	case asked.form == formData, asked.form == formReads:
		return max(g.cfg.MaxData, smallReply)
	case asked.form == formNames, asked.form == formNamesStat:
		return max(g.cfg.MaxChildren, smallReply)
	default:
		return asked.bound()
	}
}

func tooLong(f form, length, most int) error {
	text := fmt.Sprintf("%d bytes long, and may have %d", length, most)
	if f == formData {
		text += "; if another zkine on the root has a larger --max-zookeeper-request, let this one have the same"
	}
	return badFrame("%s", text)
}
