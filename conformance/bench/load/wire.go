package load

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// wire walks over the fields of a message in its wire form. After next has said that there is one, the fields tell what
// it is; after it has said that there is none, err tells whether the message was one.
type wire struct {
	rest []byte
	err  error

	number protowire.Number
	n      uint64 // of a varint
	bytes  []byte // of a field of type bytes; a part of the message
}

var errWire = errors.New("the reply is no such message")

func (w *wire) next() bool {
	if len(w.rest) == 0 || w.err != nil {
		return false
	}
	number, typ, size := protowire.ConsumeTag(w.rest)
	if size < 0 {
		return w.fail("a tag is none")
	}
	w.number, w.n, w.bytes, w.rest = number, 0, nil, w.rest[size:]
	switch typ {
	case protowire.VarintType:
		w.n, size = protowire.ConsumeVarint(w.rest)
	case protowire.BytesType:
		w.bytes, size = protowire.ConsumeBytes(w.rest)
	default:
		return w.fail("field %d has type %d", number, typ)
	}
	if size < 0 {
		return w.fail("field %d is cut off", number)
	}
	w.rest = w.rest[size:]
	return true
}

func (w *wire) fail(format string, args ...any) bool {
	w.err = fmt.Errorf("%w: %s", errWire, fmt.Sprintf(format, args...))
	return false
}

// revision reads the revision out of a ResponseHeader.
func revision(header []byte) (revision int64, err error) {
	w := wire{rest: header}
	for w.next() {
		if w.number == 3 {
			revision = int64(w.n)
		}
	}
	return revision, w.err
}

// stamp is how many bytes at the front of a value tell when it was put.
const stamp = 8

// keyValue is what is looked at of a KeyValue.
type keyValue struct {
	key    []byte
	mod    int64
	length int    // of the value
	stamp  uint64 // its first bytes
}

// scanKeyValue reads one. Its key is a part of the message.
func scanKeyValue(message []byte) (kv keyValue, err error) {
	w := wire{rest: message}
	for w.next() {
		switch w.number {
		case 1:
			kv.key = w.bytes
		case 3:
			kv.mod = int64(w.n)
		case 5:
			kv.length = len(w.bytes)
			if kv.length >= stamp {
				kv.stamp = binary.BigEndian.Uint64(w.bytes)
			}
		}
	}
	return kv, w.err
}
