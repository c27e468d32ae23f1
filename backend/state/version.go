package state

import (
	"sync/atomic"
	"unsafe"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/zkine/zkine/backend/packed"
	"github.com/zkine/zkine/revision"
)

// version is what a key became at one revision: a value, or a tombstone if it was
// deleted.
//
// Only prev changes after it was made; kv is packed and unpacked, and stays the
// same. Of two versions of a key, the one with the larger mod is newer; with
// equal mods, the one with the larger sub.
type version struct {
	// key's memory is shared by all versions of the key, and by the tree.
	key string
	// kv is the mvccpb.KeyValue in its wire encoding, byte for byte as proto.Marshal
	// writes it; empty for a tombstone.
	kv packed.Value
	// prev is the next older version, which may be a tombstone; nil if the key has
	// none, or if it was freed. It only ever changes to nil.
	prev atomic.Pointer[version]
	mod  revision.Rev
	// create is the revision that created the key, number counts the versions
	// since then, from 1. Both are 0 for a tombstone.
	create revision.Rev
	number int64
	lease  int64
	// sub is the place of this change among those of its revision.
	sub int32
	// valueLen is the size of the value.
	valueLen uint32
}

// Field numbers of mvccpb.KeyValue.
const (
	fieldKey            = 1
	fieldCreateRevision = 2
	fieldModRevision    = 3
	fieldVersion        = 4
	fieldValue          = 5
	fieldLease          = 6
)

// newVersion encodes a value of a key. It copies the value and keeps the key.
func newVersion(key string, value []byte, mod, create revision.Rev, number, lease int64) *version {
	v := &version{key: key, mod: mod, create: create, number: number, lease: lease, valueLen: uint32(len(value))}
	v.kv.Put(v.appendKV(make([]byte, 0, v.encodedLen()), value))
	return v
}

// encodedLen is how long kv is, of a version that is no tombstone.
func (v *version) encodedLen() int {
	return bytesSize(len(v.key)) + varintSize(int64(v.create)) + varintSize(int64(v.mod)) +
		varintSize(v.number) + bytesSize(int(v.valueLen)) + varintSize(v.lease)
}

// appendKV appends what kv is with that value.
func (v *version) appendKV(b, value []byte) []byte {
	return appendVarint(append(v.appendHead(b), value...), fieldLease, v.lease)
}

// appendHead appends what stands before the value in kv.
func (v *version) appendHead(b []byte) []byte {
	b = appendBytes(b, fieldKey, v.key)
	b = appendVarint(b, fieldCreateRevision, int64(v.create))
	b = appendVarint(b, fieldModRevision, int64(v.mod))
	b = appendVarint(b, fieldVersion, v.number)
	if v.valueLen == 0 {
		return b
	}
	return appendBytesHead(b, fieldValue, int(v.valueLen))
}

// newTombstone is the deletion of a key, which it keeps.
func newTombstone(key string, mod revision.Rev) *version {
	return &version{key: key, mod: mod}
}

func (v *version) tombstone() bool { return v.number == 0 }

// wire is kv; a tombstone's holds what a DELETE event shows, key and
// mod_revision. The bytes may be shared, and must not change.
func (v *version) wire() []byte {
	if !v.tombstone() {
		return v.kv.Bytes()
	}
	b := appendBytes(make([]byte, 0, v.wireLen()), fieldKey, v.key)
	return appendVarint(b, fieldModRevision, int64(v.mod))
}

// wireLen is how long wire is.
func (v *version) wireLen() int {
	if !v.tombstone() {
		return v.kv.Len()
	}
	return bytesSize(len(v.key)) + varintSize(int64(v.mod))
}

// keyEnd is where the key ends in wire.
func (v *version) keyEnd() int { return bytesSize(len(v.key)) }

// keyBytes is the key's own memory.
func (v *version) keyBytes() []byte { return unsafe.Slice(unsafe.StringData(v.key), len(v.key)) }

// value is nil if empty, as protobuf has it.
func (v *version) value() []byte {
	if v.valueLen == 0 {
		return nil
	}
	end := v.kv.Len() - varintSize(v.lease)
	return v.kv.Read()[end-int(v.valueLen) : end : end]
}

// size is what the version adds to keyspace.liveBytes while it is live.
func (v *version) size() int64 { return int64(len(v.key)) + int64(v.valueLen) }

// at is the version of the key at rev, given its newest one; nil if the key did
// not exist then. Below store.trimmed it may be nil wrongly, see store.overtaken.
func (v *version) at(rev revision.Rev) *version {
	if v = v.upTo(rev); v == nil || v.tombstone() {
		return nil
	}
	return v
}

// upTo is the newest version at or below rev, which may be a tombstone.
func (v *version) upTo(rev revision.Rev) *version {
	for v != nil && v.mod > rev {
		v = v.prev.Load()
	}
	return v
}

// before is the version of the key one revision before this one; nil if the key
// did not exist then, or if that version was freed.
func (v *version) before() *version { return v.at(v.mod - 1) }

// decode fills kv, whose bytes may be shared from then on.
func (v *version) decode(kv *mvccpb.KeyValue) {
	kv.Key = v.keyBytes()
	kv.CreateRevision = int64(v.create)
	kv.ModRevision = int64(v.mod)
	kv.Version = v.number
	kv.Value = v.value()
	kv.Lease = v.lease
}

func (v *version) keyValue() *mvccpb.KeyValue {
	kv := new(mvccpb.KeyValue)
	v.decode(kv)
	return kv
}

// alias is b as a string without a copy. The bytes must never change while the
// string is in use.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// All field numbers are below 16, so that a tag is one byte.

func bytesSize(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(n)
}

func varintSize(n int64) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(uint64(n))
}

func appendBytes[T string | []byte](b []byte, field protowire.Number, data T) []byte {
	if len(data) == 0 {
		return b
	}
	return append(appendBytesHead(b, field, len(data)), data...)
}

// appendBytesHead appends what stands before so many bytes of a field.
func appendBytesHead(b []byte, field protowire.Number, size int) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendVarint(b, uint64(size))
}

func appendVarint(b []byte, field protowire.Number, n int64) []byte {
	if n == 0 {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(n))
}
