package state

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/zkine/zkine/revision"
)

// decodeCheckpointVersion reads a CheckpointVersion. It leaves the kv of the version
// empty, and returns it beside: it is a part of encoded.
func decodeCheckpointVersion(encoded []byte) (v *version, wire []byte, err error) {
	sub := int32(0)
	for len(encoded) > 0 {
		number, kind, n := protowire.ConsumeTag(encoded)
		if n < 0 {
			return nil, nil, fmt.Errorf("%w: a version is cut short", ErrBadCheckpoint)
		}
		encoded = encoded[n:]
		switch {
		case number == fieldKV && kind == protowire.BytesType:
			kv, size := protowire.ConsumeBytes(encoded)
			if size < 0 {
				return nil, nil, fmt.Errorf("%w: a version is cut short", ErrBadCheckpoint)
			}
			if v, err = parseVersion(kv); err != nil {
				return nil, nil, err
			}
			wire = kv
			encoded = encoded[size:]
		case number == fieldSub && kind == protowire.VarintType:
			value, size := protowire.ConsumeVarint(encoded)
			if size < 0 {
				return nil, nil, fmt.Errorf("%w: a version is cut short", ErrBadCheckpoint)
			}
			sub = int32(value)
			encoded = encoded[size:]
		default:
			return nil, nil, fmt.Errorf("%w: field %d in a version", ErrBadCheckpoint, number)
		}
	}
	if v == nil {
		return nil, nil, fmt.Errorf("%w: a version without a key", ErrBadCheckpoint)
	}
	v.sub = sub
	return v, wire, nil
}

// decodeVersion makes a version of a KeyValue that newVersion or newTombstone
// encoded. It copies the bytes.
func decodeVersion(kv []byte) (*version, error) {
	v, err := parseVersion(kv)
	if err == nil && !v.tombstone() {
		v.kv.Put(bytes.Clone(kv))
	}
	return v, err
}

// parseVersion is decodeVersion, and leaves the kv of the version empty.
func parseVersion(kv []byte) (*version, error) {
	var f fields
	for rest := kv; len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return nil, fmt.Errorf("%w: a key is cut short", ErrBadCheckpoint)
		}
		rest = rest[n:]
		size := -1
		switch kind {
		case protowire.BytesType:
			var data []byte
			data, size = protowire.ConsumeBytes(rest)
			f.setBytes(number, data)
		case protowire.VarintType:
			var value uint64
			value, size = protowire.ConsumeVarint(rest)
			f.setNumber(number, int64(value))
		}
		if size < 0 {
			return nil, fmt.Errorf("%w: a key is cut short", ErrBadCheckpoint)
		}
		rest = rest[size:]
	}
	v := f.version()
	// All that looks into the encoding relies on its layout.
	if v.mod < firstChange || !v.isEncoded(kv) {
		return nil, fmt.Errorf("%w: a key of revision %d", ErrBadCheckpoint, v.mod)
	}
	return v, nil
}

// isEncoded says whether kv is what newVersion or newTombstone encodes, of a version
// that was read from it: all before and after the value is looked at.
func (v *version) isEncoded(kv []byte) bool {
	if v.tombstone() {
		return string(v.wire()) == string(kv)
	}
	var roomBefore, roomAfter [256]byte
	head, tail := v.appendHead(roomBefore[:0]), appendVarint(roomAfter[:0], fieldLease, v.lease)
	return len(kv) == len(head)+int(v.valueLen)+len(tail) && bytes.HasPrefix(kv, head) && bytes.HasSuffix(kv, tail)
}

// fields are those of a KeyValue; what is in bytes is not its own.
type fields struct {
	key, value  []byte
	mod, create revision.Rev
	number      int64
	lease       int64
}

func (f *fields) setBytes(number protowire.Number, data []byte) {
	switch number {
	case fieldKey:
		f.key = data
	case fieldValue:
		f.value = data
	}
}

func (f *fields) setNumber(number protowire.Number, value int64) {
	switch number {
	case fieldCreateRevision:
		f.create = revision.Rev(value)
	case fieldModRevision:
		f.mod = revision.Rev(value)
	case fieldVersion:
		f.number = value
	case fieldLease:
		f.lease = value
	}
}

// version is one whose kv is empty.
func (f *fields) version() *version {
	if f.number == 0 {
		return newTombstone(string(f.key), f.mod)
	}
	return &version{key: string(f.key), mod: f.mod, create: f.create, number: f.number, lease: f.lease, valueLen: uint32(len(f.value))}
}
