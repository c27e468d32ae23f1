package state

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/zkine/zkine/revision"
)

// decodeCheckpointVersion reads a CheckpointVersion.
func decodeCheckpointVersion(encoded []byte) (*version, error) {
	var v *version
	sub := int32(0)
	for len(encoded) > 0 {
		number, kind, n := protowire.ConsumeTag(encoded)
		if n < 0 {
			return nil, fmt.Errorf("%w: a version is cut short", ErrBadCheckpoint)
		}
		encoded = encoded[n:]
		switch {
		case number == fieldKV && kind == protowire.BytesType:
			kv, size := protowire.ConsumeBytes(encoded)
			if size < 0 {
				return nil, fmt.Errorf("%w: a version is cut short", ErrBadCheckpoint)
			}
			var err error
			if v, err = decodeVersion(kv); err != nil {
				return nil, err
			}
			encoded = encoded[size:]
		case number == fieldSub && kind == protowire.VarintType:
			value, size := protowire.ConsumeVarint(encoded)
			if size < 0 {
				return nil, fmt.Errorf("%w: a version is cut short", ErrBadCheckpoint)
			}
			sub = int32(value)
			encoded = encoded[size:]
		default:
			return nil, fmt.Errorf("%w: field %d in a version", ErrBadCheckpoint, number)
		}
	}
	if v == nil {
		return nil, fmt.Errorf("%w: a version without a key", ErrBadCheckpoint)
	}
	v.sub = sub
	return v, nil
}

// decodeVersion makes a version of a KeyValue that newVersion or newTombstone
// encoded. It copies the bytes.
func decodeVersion(kv []byte) (*version, error) {
	v := &version{wire: append([]byte(nil), kv...)}
	rest := v.wire
	for len(rest) > 0 {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return nil, fmt.Errorf("%w: a key is cut short", ErrBadCheckpoint)
		}
		rest = rest[n:]
		size := 0
		switch kind {
		case protowire.BytesType:
			var data []byte
			data, size = protowire.ConsumeBytes(rest)
			if size >= 0 {
				v.setBytes(number, len(v.wire)-len(rest)+size-len(data), len(data))
			}
		case protowire.VarintType:
			var value uint64
			value, size = protowire.ConsumeVarint(rest)
			v.setNumber(number, int64(value))
		default:
			size = -1
		}
		if size < 0 {
			return nil, fmt.Errorf("%w: a key is cut short", ErrBadCheckpoint)
		}
		rest = rest[size:]
	}
	if v.mod < firstChange || !v.canonical() {
		return nil, fmt.Errorf("%w: a key of revision %d", ErrBadCheckpoint, v.mod)
	}
	return v, nil
}

func (v *version) setBytes(number protowire.Number, at, length int) {
	switch number {
	case fieldKey:
		v.keyLen = uint32(length)
	case fieldValue:
		v.valueAt, v.valueLen = uint32(at), uint32(length)
	}
}

func (v *version) setNumber(number protowire.Number, value int64) {
	switch number {
	case fieldCreateRevision:
		v.create = revision.Rev(value)
	case fieldModRevision:
		v.mod = revision.Rev(value)
	case fieldVersion:
		v.number = value
	case fieldLease:
		v.lease = value
	}
}

// canonical says whether wire is what newVersion or newTombstone would write
// for the fields: all that looks into wire relies on its layout.
func (v *version) canonical() bool {
	if v.keyEnd() > len(v.wire) {
		return false
	}
	again := newTombstone(v.key(), v.mod)
	if !v.tombstone() {
		again = newVersion(v.keyBytes(), v.value(), v.mod, v.create, v.number, v.lease)
	}
	return string(again.wire) == string(v.wire)
}
