package etcddb

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// A database is what an etcd that had the same history would keep on its disk:
// named buckets of keys and values. The layout is that of etcd 3.7, defined by
// its packages server/storage/schema and server/storage/mvcc:
//
//	alarm            AlarmMember                      ""
//	auth             authRevision                     8 bytes
//	                 authEnabled                      1, if it is
//	authRoles        name                             authpb.Role
//	authUsers        name                             authpb.User
//	cluster          clusterVersion                   "3.7.0"
//	key              see state.View.Entries
//	lease            id, 8 bytes                      leasepb.Lease
//	members          -
//	members_removed  -
//	meta             confState                        raftpb.ConfState as JSON
//	                 consistent_index, term           8 bytes each
//	                 finishedCompactRev, scheduledCompactRev: 17 bytes, if ever compacted
//	                 storageVersion                   "3.7.0"
//
// Numbers are big-endian. There are no members in it: zkine's come and go with
// their sessions and are no part of the state, and etcdutl is told the members of
// the new cluster when it restores a database.

// Version is the version of etcd's storage that the layout follows.
const Version = "3.7.0"

const metaBucket = "meta"

// unhashed are the keys of bucket meta that etcd's Hash leaves out.
var unhashed = map[string]bool{"consistent_index": true, "term": true, "storageVersion": true}

// bucket is a bucket of a database, its entries in the order of keys. A key is
// good until the next one; a value is shared and must not change.
type bucket struct {
	name    string
	entries iter.Seq2[[]byte, []byte]
}

// database is the buckets for a view, by name. Error: state.ErrCompacted, as
// state.View.Entries has it.
func database(v *state.View) ([]bucket, error) {
	keys, err := v.EtcdEntries()
	if err != nil {
		return nil, err
	}
	all := append(smallBuckets(v), bucket{"key", keys})
	slices.SortFunc(all, func(a, b bucket) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// smallBuckets are all but that of the keys.
func smallBuckets(v *state.View) []bucket {
	return []bucket{
		{"alarm", alarmEntries(v).inOrder()},
		{"auth", authEntries(v).inOrder()},
		{"authRoles", namedEntries(v.Roles()).inOrder()},
		{"authUsers", namedEntries(v.Users()).inOrder()},
		{"cluster", entries{{[]byte("clusterVersion"), []byte(Version)}}.inOrder()},
		{"lease", leaseEntries(v).inOrder()},
		{"members", entries{}.inOrder()},
		{"members_removed", entries{}.inOrder()},
		{metaBucket, metaEntries(v).inOrder()},
	}
}

// identity is the same for views with the same database, but for the place in
// the log and the term.
type identity struct {
	rev, floor revision.Rev
	small      [sha256.Size]byte
}

// identify takes as long as there are leases, users and roles.
func identify(v *state.View) *identity {
	sum := sha256.New()
	add := func(b []byte) {
		sum.Write(number(uint64(len(b))))
		sum.Write(b)
	}
	for _, b := range smallBuckets(v) {
		add([]byte(b.name))
		for key, value := range b.entries {
			if b.name != metaBucket || !unhashed[string(key)] {
				add(key)
				add(value)
			}
		}
	}
	id := &identity{rev: v.Rev(), floor: v.CompactRev()}
	sum.Sum(id.small[:0])
	return id
}

func alarmEntries(v *state.View) (list entries) {
	for _, a := range v.Alarms() {
		list = append(list, entry{marshal(a), nil})
	}
	return list
}

func authEntries(v *state.View) entries {
	list := entries{{[]byte("authRevision"), number(v.AuthRevision())}}
	if v.AuthEnabled() {
		list = append(list, entry{[]byte("authEnabled"), []byte{1}})
	}
	return list
}

func namedEntries[T interface {
	proto.Message
	GetName() []byte
}](all iter.Seq[T]) (list entries) {
	for message := range all {
		list = append(list, entry{message.GetName(), marshal(message)})
	}
	return list
}

// marshal encodes a message that the state holds.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err) // a name that is no UTF-8 did not come in by gRPC
	}
	return b
}

func leaseEntries(v *state.View) (list entries) {
	for l := range v.Leases() {
		var value []byte // leasepb.Lease: ID, TTL, RemainingTTL
		for i, n := range []int64{l.ID, l.TTL, l.Remaining} {
			if n != 0 {
				value = protowire.AppendTag(value, protowire.Number(i+1), protowire.VarintType)
				value = protowire.AppendVarint(value, uint64(n))
			}
		}
		list = append(list, entry{number(uint64(l.ID)), value})
	}
	return list
}

func metaEntries(v *state.View) entries {
	list := entries{
		{[]byte("confState"), []byte(`{"auto_leave":false}`)},
		{[]byte("consistent_index"), number(v.Seq().Index())},
		{[]byte("storageVersion"), []byte(Version)},
		{[]byte("term"), number(v.Term())},
	}
	if floor := v.CompactRev(); floor >= 0 {
		rev := append(append(number(uint64(floor)), '_'), number(0)...)
		list = append(list, entry{[]byte("finishedCompactRev"), rev}, entry{[]byte("scheduledCompactRev"), rev})
	}
	return list
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// entries are those of a bucket that is small.
type entries []entry

type entry struct{ key, value []byte }

func (list entries) inOrder() iter.Seq2[[]byte, []byte] {
	slices.SortFunc(list, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	return func(yield func(key, value []byte) bool) {
		for _, e := range list {
			if !yield(e.key, e.value) {
				return
			}
		}
	}
}
