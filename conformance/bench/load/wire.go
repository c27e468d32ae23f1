package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// wire walks over a message in its wire form, which may lie in several pieces.
type wire struct{ r *mem.Reader }

// field is one field of a message. For a field of type bytes n is its length, and the walk stands at its content:
// read it, walk over it as a message of its own, or leave it to each to skip.
type field struct {
	number protowire.Number
	typ    protowire.Type
	n      uint64
}

var errWire = errors.New("the reply is no such message")

// next reads the next field of the message that ends when so many bytes remain; io.EOF when there is none.
func (w wire) next(end int) (f field, err error) {
	if w.r.Remaining() <= end {
		return f, io.EOF
	}
	tag, err := binary.ReadUvarint(w.r)
	if err != nil {
		return f, errWire
	}
	f.number, f.typ = protowire.DecodeTag(tag)
	if f.typ != protowire.VarintType && f.typ != protowire.BytesType {
		return f, fmt.Errorf("%w: field %d has type %d", errWire, f.number, f.typ)
	}
	if f.n, err = binary.ReadUvarint(w.r); err != nil {
		return f, errWire
	}
	if f.typ == protowire.BytesType && f.n > uint64(w.r.Remaining()-end) {
		return f, fmt.Errorf("%w: field %d is longer than the message", errWire, f.number)
	}
	return f, nil
}

// end is what remains after the content of a field of type bytes.
func (w wire) end(f field) int { return w.r.Remaining() - int(f.n) }

// bytes reads the content of a field into a buffer, which it grows.
func (w wire) bytes(f field, into []byte) ([]byte, error) {
	if cap(into) < int(f.n) {
		into = make([]byte, f.n)
	}
	into = into[:f.n]
	_, err := io.ReadFull(w.r, into)
	return into, err
}

// each calls visit for the fields of a message until it ends. What visit leaves unread of a field is skipped.
func (w wire) each(end int, visit func(field) error) error {
	for {
		f, err := w.next(end)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		after := w.r.Remaining()
		if f.typ == protowire.BytesType {
			after -= int(f.n)
		}
		if err := visit(f); err != nil {
			return err
		}
		if _, err := w.r.Discard(w.r.Remaining() - after); err != nil {
			return err
		}
	}
}

// revision reads the revision out of a ResponseHeader.
func (w wire) revision(header field) (revision int64, err error) {
	err = w.each(w.end(header), func(f field) error {
		if f.number == 3 {
			revision = int64(f.n)
		}
		return nil
	})
	return revision, err
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

// keyValue reads one, and reuses the key's buffer.
func (w wire) keyValue(kv field, into *keyValue) error {
	into.mod, into.length, into.stamp = 0, 0, 0
	return w.each(w.end(kv), func(f field) (err error) {
		switch f.number {
		case 1:
			into.key, err = w.bytes(f, into.key)
		case 3:
			into.mod = int64(f.n)
		case 5:
			into.length = int(f.n)
			var head [stamp]byte
			if f.n >= stamp {
				_, err = io.ReadFull(w.r, head[:])
				into.stamp = binary.BigEndian.Uint64(head[:])
			}
		}
		return err
	})
}
