package etcdapi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Digest is a hash of keys at one revision: of each its bytes, its value, its lease, its
// revisions and, where they are counted, its version. The order of keys counts.
type Digest struct {
	hash    hash.Hash
	numbers bool
	counted bool
	scratch []byte
	// Keys and Bytes are how much was hashed.
	Keys, Bytes int64
}

// NewDigest hashes keys with their revisions. Versions count only where both sides count
// them.
func NewDigest(counted bool) *Digest {
	return &Digest{hash: sha256.New(), numbers: true, counted: counted}
}

// NewValuesDigest hashes keys, values and leases alone, for a target that has revisions of
// its own.
func NewValuesDigest() *Digest { return &Digest{hash: sha256.New()} }

// Add hashes the next key.
func (d *Digest) Add(kv *mvccpb.KeyValue) {
	b := binary.AppendUvarint(d.scratch[:0], uint64(len(kv.Key)))
	b = append(b, kv.Key...)
	b = binary.AppendVarint(b, kv.Lease)
	if d.numbers {
		b = binary.AppendVarint(b, kv.CreateRevision)
		b = binary.AppendVarint(b, kv.ModRevision)
	}
	if d.counted {
		b = binary.AppendVarint(b, kv.Version)
	}
	b = binary.AppendUvarint(b, uint64(len(kv.Value)))
	d.hash.Write(b)
	d.hash.Write(kv.Value)
	d.scratch = b
	d.Keys++
	d.Bytes += int64(len(kv.Key) + len(kv.Value))
}

// String is the hash so far, in hexadecimal.
func (d *Digest) String() string { return hex.EncodeToString(d.hash.Sum(nil)) }
