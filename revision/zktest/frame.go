package zktest

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Opcodes of ZooKeeper requests that the traps of a Proxy are set for (ZooDefs.OpCode).
const (
	OpCreate      int32 = 1
	OpDelete      int32 = 2
	OpExists      int32 = 3
	OpGetData     int32 = 4
	OpSetData     int32 = 5
	OpSync        int32 = 9
	OpPing        int32 = 11
	OpGetChildren int32 = 12 // getChildren2, which the Go client sends
	OpMulti       int32 = 14
	OpMultiRead   int32 = 22
	OpClose       int32 = -11
	OpSetAuth     int32 = 100
	OpSetWatches  int32 = 101
)

// frame is one message of ZooKeeper's protocol: a length of four bytes, big-endian, and the body.
//
//	request: xid(4) opcode(4) ...        reply: xid(4) zxid(8) error(4) ...
//
// The first message each way is the session's handshake, which has none of these fields.
type frame struct {
	raw       []byte // with the length
	handshake bool
}

// maxFrame bounds a message; a length above it is a four-letter word, or not ZooKeeper's protocol at all.
const maxFrame = 64 << 20

// readFrame reads one message.
func readFrame(r io.Reader) (frame, error) {
	raw := make([]byte, 4)
	if _, err := io.ReadFull(r, raw); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(raw)
	if n > maxFrame {
		return frame{}, fmt.Errorf("zktest: a frame of %d bytes (four-letter words do not go through a Proxy)", n)
	}
	raw = append(raw, make([]byte, n)...)
	_, err := io.ReadFull(r, raw[4:])
	return frame{raw: raw}, err
}

func (f frame) xid() int32 { return f.int32(4) }

func (f frame) opcode() int32 { return f.int32(8) }

func (f frame) zxid() int64 {
	if len(f.raw) < 16 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(f.raw[8:]))
}

func (f frame) errorCode() int32 { return f.int32(16) }

func (f frame) int32(at int) int32 {
	if len(f.raw) < at+4 {
		return 0
	}
	return int32(binary.BigEndian.Uint32(f.raw[at:]))
}
