package state

import (
	"sync/atomic"
	"unsafe"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/zkine/zkine/revision"
)

// version is what a key became at one revision: a value, or a tombstone if it was
// deleted.
//
// Only prev changes after it was made. Of two versions of a key, the one with the
// larger mod is newer; with equal mods, the one with the larger sub.
type version struct {
	// wire is the mvccpb.KeyValue in its wire encoding, byte for byte as
	// proto.Marshal writes it. A tombstone's holds what a DELETE event shows:
	// key and mod_revision.
	wire []byte
	mod  revision.Rev
	// sub is the place of this change among those of its revision.
	sub    int32
	keyLen uint32
	// The value is wire[valueAt : valueAt+valueLen].
	valueAt, valueLen uint32
	// create is the revision that created the key, number counts the versions
	// since then, from 1. Both are 0 for a tombstone.
	create revision.Rev
	number int64
	lease  int64
	// prev is the next older version, which may be a tombstone; nil if the key has
	// none, or if it was freed. It only ever changes to nil.
	prev atomic.Pointer[version]
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

// newVersion encodes a value of a key. It copies key and value.
func newVersion(key, value []byte, mod, create revision.Rev, number, lease int64) *version {
	v := &version{mod: mod, create: create, number: number, lease: lease,
		keyLen: uint32(len(key)), valueLen: uint32(len(value))}
	b := make([]byte, 0, bytesSize(len(key))+varintSize(int64(create))+varintSize(int64(mod))+
		varintSize(number)+bytesSize(len(value))+varintSize(lease))
	b = appendBytes(b, fieldKey, key)
	b = appendVarint(b, fieldCreateRevision, int64(create))
	b = appendVarint(b, fieldModRevision, int64(mod))
	b = appendVarint(b, fieldVersion, number)
	b = appendBytes(b, fieldValue, value)
	v.valueAt = uint32(len(b) - len(value))
	b = appendVarint(b, fieldLease, lease)
	v.wire = b
	return v
}

// newTombstone encodes the deletion of a key. It copies key.
func newTombstone(key string, mod revision.Rev) *version {
	v := &version{mod: mod, keyLen: uint32(len(key))}
	b := make([]byte, 0, bytesSize(len(key))+varintSize(int64(mod)))
	b = appendBytes(b, fieldKey, key)
	v.wire = appendVarint(b, fieldModRevision, int64(mod))
	return v
}

func (v *version) tombstone() bool { return v.number == 0 }

// keyEnd is where the key ends in wire.
func (v *version) keyEnd() int { return bytesSize(int(v.keyLen)) }

func (v *version) keyBytes() []byte {
	end := v.keyEnd()
	return v.wire[end-int(v.keyLen) : end : end]
}

// key is a string in wire's memory: the trees keep no second copy of a key.
func (v *version) key() string { return alias(v.keyBytes()) }

// value is nil if empty, as protobuf has it.
func (v *version) value() []byte {
	if v.valueLen == 0 {
		return nil
	}
	end := v.valueAt + v.valueLen
	return v.wire[v.valueAt:end:end]
}

// size is what the version adds to keyspace.liveBytes while it is live.
func (v *version) size() int64 { return int64(v.keyLen) + int64(v.valueLen) }

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

// decode fills kv, which points into wire from then on.
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
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(data)))
	return append(b, data...)
}

func appendVarint(b []byte, field protowire.Number, n int64) []byte {
	if n == 0 {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(n))
}
