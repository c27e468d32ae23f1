package state

import (
	"bytes"
	"fmt"
	"iter"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// A state that no log led to, such as what is moved in from an etcd, becomes a
// checkpoint by the functions below. Restore judges whether it can be one.

// Version is what a key became at one revision.
type Version struct {
	// KV is the key and its value; a KV whose Version is 0 says that the key was
	// deleted at ModRevision, and has the key alone besides. It belongs to
	// the receiver.
	KV *mvccpb.KeyValue
	// Sub is the place of the change among those of its revision, from 0.
	Sub int32
}

// Foreign is all of a state but its keys.
type Foreign struct {
	// Revision is the current one, from 1. Compact is the floor: the oldest that can be
	// read; -1 if nothing was ever compacted.
	Revision, Compact revision.Rev
	// RaisedTo is the revision to which the revision was raised last, 0 if it never
	// was, and RaisedSub the place of that among its changes; see Raise.
	RaisedTo  revision.Rev
	RaisedSub int32
	// FloorEvents are the changes of the floor's own revision, by their Sub: a watch may
	// start there. Those that are not known may be missing.
	FloorEvents []Version
	// Leases are in the order of their ids. Renewed is not looked at.
	Leases []Lease
	// AuthRevision counts the changes of users and roles, from 1.
	AuthEnabled  bool
	AuthRevision uint64
	// Users and Roles are in the order of their names.
	Users []*authpb.User
	Roles []*authpb.Role
}

// Raise makes rev the revision, and compacts all below it: what
// recordpb.RevisionRaise does to a state that has it.
func (f *Foreign) Raise(rev revision.Rev) {
	f.Revision, f.Compact, f.FloorEvents = rev, rev, nil
	f.RaisedTo, f.RaisedSub = rev, 0
}

// CheckpointMeta encodes it as of a place in the log at which it is to stand.
func (f *Foreign) CheckpointMeta(at revision.Seq) ([]byte, error) {
	meta := &recordpb.CheckpointMeta{
		Revision: int64(f.Revision), CompactRevision: int64(f.Compact),
		Segment: at.Segment, Slot: at.Slot, Term: 1, Applied: 1,
		RaisedTo: int64(f.RaisedTo), RaisedSub: f.RaisedSub,
	}
	for _, l := range f.Leases {
		meta.Leases = append(meta.Leases, &recordpb.CheckpointLease{Id: l.ID, Ttl: l.TTL, RemainingTtl: l.Remaining, Renewed: 1})
	}
	for _, e := range f.FloorEvents {
		v, err := foreignVersion(e)
		if err != nil {
			return nil, err
		}
		if !v.tombstone() {
			v.kv.Put(v.appendKV(nil, e.KV.Value))
		}
		meta.FloorEvents = append(meta.FloorEvents, &recordpb.CheckpointVersion{Kv: v.wire(), Sub: v.sub})
	}
	a := &auth{enabled: f.AuthEnabled, changes: max(f.AuthRevision, 1) - 1, roles: f.Roles}
	for _, u := range f.Users {
		a.users = append(a.users, &user{User: u})
	}
	if err := encodeAuth(meta, a); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(meta)
}

// ForeignKeys yields versions, which are in the order of keys and then of age, in
// chunks of CheckpointKeys' form, until yield returns false. The bytes belong to
// yield. It leaves out what a compaction at the floor does. An error of versions ends
// it and is returned; ErrBadCheckpoint for a version that cannot be one. It holds one
// chunk at a time.
func ForeignKeys(floor revision.Rev, versions iter.Seq2[Version, error], yield func(chunk []byte) bool) error {
	e := &foreignChunks{yield: yield}
	// held is the newest version at or below the floor, of the key that is looked at.
	var held *version
	var heldValue []byte
	for foreign, err := range versions {
		if err != nil {
			return err
		}
		v, err := foreignVersion(foreign)
		if err != nil {
			return err
		}
		if held != nil && (held.key != v.key || v.mod > floor) {
			e.addExisting(held, heldValue)
			held = nil
		}
		if v.mod <= floor {
			held, heldValue = v, foreign.KV.Value
		} else {
			e.add(v, foreign.KV.Value)
		}
		if e.stopped {
			return nil
		}
	}
	if held != nil {
		e.addExisting(held, heldValue)
	}
	if len(e.chunk) > 0 && !e.stopped {
		yield(e.chunk)
	}
	return nil
}

// foreignChunks is a ForeignKeys under way.
type foreignChunks struct {
	yield   func([]byte) bool
	chunk   []byte // yield gets a copy
	key     string // the last one in chunk
	stopped bool
}

// addExisting adds what is found at the floor.
func (e *foreignChunks) addExisting(v *version, value []byte) {
	if !v.tombstone() {
		e.add(v, value)
	}
}

// add has a chunk end where View.checkpointKeys does.
func (e *foreignChunks) add(v *version, value []byte) {
	if n := len(e.chunk); n > 0 && (v.key != e.key && usual.ends(n, v.keyBytes()) || n >= usual.max) {
		if e.stopped = !e.yield(bytes.Clone(e.chunk)); e.stopped {
			return
		}
		e.chunk = e.chunk[:0] // to grow again would cost more than the copy
	}
	if e.key = v.key; v.tombstone() {
		e.chunk = appendCheckpointVersion(e.chunk, v)
		return
	}
	e.chunk = appendBytesHead(e.chunk, fieldVersions, bytesSize(v.encodedLen())+varintSize(int64(v.sub)))
	e.chunk = appendBytesHead(e.chunk, fieldKV, v.encodedLen())
	e.chunk = appendVarint(v.appendKV(e.chunk, value), fieldSub, int64(v.sub))
}

// foreignVersion is a version whose kv is empty.
func foreignVersion(f Version) (*version, error) {
	kv := f.KV
	if len(kv.Key) == 0 || kv.ModRevision < int64(firstChange) || kv.Version < 0 || f.Sub < 0 ||
		kv.Version > 0 && (kv.CreateRevision < int64(firstChange) || kv.CreateRevision > kv.ModRevision) {
		return nil, fmt.Errorf("%w: a key of revision %d, created at %d, version %d", ErrBadCheckpoint, kv.ModRevision, kv.CreateRevision, kv.Version)
	}
	v := newTombstone(string(kv.Key), revision.Rev(kv.ModRevision))
	if kv.Version > 0 {
		v.create, v.number, v.lease, v.valueLen = revision.Rev(kv.CreateRevision), kv.Version, kv.Lease, uint32(len(kv.Value))
	}
	v.sub = f.Sub
	return v, nil
}

// Judged is what Judge has found a checkpoint to be.
type Judged struct {
	// KVHash is what HashKV answers for its current revision.
	KVHash
	// Keys is how many keys exist.
	Keys int
}

// Judge is Restore for who wants to know whether it would succeed, and what the
// machine would hold: it looks at the same in the same way, and keeps no values. exists
// is told of each key that exists, in order; its bytes are the chunk's. Errors are
// Restore's.
func Judge(meta []byte, chunks iter.Seq2[[]byte, error], exists func(*mvccpb.KeyValue)) (Judged, error) {
	h := newKVHash()
	h.sums = map[*version]entrySum{}
	r := &restoring{m: New(), judging: &judging{hash: h, told: exists}}
	if err := r.all(meta, chunks); err != nil {
		return Judged{}, err
	}
	hash, err := r.m.hashKV(h, r.m.rev)
	return Judged{hash, r.m.live.Len()}, err
}

// judging is a Judge under way.
type judging struct {
	hash *kvHash
	told func(*mvccpb.KeyValue)
	// last is the one version whose value is there.
	last *version
}

// take hashes the next version.
func (j *judging) take(v *version, wire []byte) {
	if j.last != nil {
		j.last.kv.Clear()
	}
	if j.last = v; !v.tombstone() {
		v.kv.Put(wire)
	}
	j.hash.sum(v)
}

// exists is told that the version that was taken last is its key's newest.
func (j *judging) exists(v *version) { j.told(v.keyValue()) }
