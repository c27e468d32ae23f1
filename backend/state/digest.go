package state

import (
	"encoding/binary"
	"hash"
	"hash/fnv"

	"github.com/zkine/zkine/revision"
)

// Digest is a hash of all that the log has determined: the place in it, keys
// and their versions from the floor on, changes, users and roles, leases,
// alarms, and which nonces are duplicates. Two zkines that have applied the same
// slots have the same digest; what each has freed does not matter. It reads
// everything. Error: ErrCompacted, if the machine has freed what this view needs.
func (v *View) Digest() (uint64, error) {
	s := &v.store
	d := digest{h: fnv.New64a()}
	d.numbers(int64(s.rev), int64(s.compactRev), s.seq.Segment, s.seq.Slot,
		int64(s.term), int64(s.applied), int64(s.nonces), s.liveBytes, int64(s.live.Len()))
	for _, v := range s.atFloor() {
		d.version(v)
	}
	for rev := max(s.compactRev, firstChange); rev <= s.rev; rev++ {
		for _, e := range s.history.of(rev) {
			d.version(e.v)
		}
	}
	if s.latestRaise != nil {
		d.numbers(int64(s.latestRaise.mod), int64(s.latestRaise.sub))
	}
	for _, a := range s.alarms {
		d.numbers(int64(a.kind), int64(a.member))
	}
	d.auth(&s.auth)
	for l := range v.Leases() {
		d.numbers(l.ID, l.TTL, l.Remaining, int64(l.Renewed), int64(l.NumKeys()))
		for key := range l.Keys() {
			d.bytes([]byte(key))
		}
	}
	if int64(s.compactRev) < s.trimmed.Load() {
		return 0, ErrCompacted
	}
	return d.h.Sum64(), nil
}

// atFloor is the versions that a read at the compact revision finds, by key.
func (s *store) atFloor() []*version {
	var versions []*version
	s.walkNewest(span{kind: unbounded}, func(newest *version) bool {
		if v := newest.at(s.compactRev); v != nil {
			versions = append(versions, v)
		}
		return true
	})
	return versions
}

type digest struct{ h hash.Hash64 }

func (d digest) numbers(numbers ...int64) {
	var b [8]byte
	for _, n := range numbers {
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		d.h.Write(b[:])
	}
}

func (d digest) bytes(b []byte) {
	d.numbers(int64(len(b)))
	d.h.Write(b)
}

func (d digest) version(v *version) {
	d.numbers(int64(v.mod), int64(v.sub), v.number)
	d.bytes(v.wire())
}

// nonceSum is a nonce's share in store.nonces, which does not depend on order.
func nonceSum(n revision.Nonce) uint64 {
	h := fnv.New64a()
	h.Write(n[:])
	return h.Sum64()
}
