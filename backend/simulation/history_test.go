package simulation

import (
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/revision"
)

// history is what clients did and saw. Its lists are under the world's lock.
type history struct {
	ops     []*op
	watches []*watched
	leases  []*leased
	raises  []*raised
}

// opKind is what a client did.
type opKind int

const (
	opPut opKind = iota
	opDelete
	opSwap // compare and set
	opPair // two puts and a delete in one transaction
	opGet  // linearizable
	opSerializable
	opCompact
)

// op is one call of a client.
type op struct {
	kind  opKind
	key   string
	value string // unique, for those that write one; "-1" and "-2" behind it for a pair's
	// expected is the mod revision that a swap compares with.
	expected int64
	// at is the revision that a read names, or a compaction; 0 for none.
	at int64

	began, ended time.Duration
	// floor is the highest revision that anyone had seen when it began.
	floor int64
	// who is the life that answered.
	who *life

	// unknown says that the call ended without an outcome; refused that it was
	// said to have, and never to get, an effect.
	unknown, refused bool
	rev              int64 // the header's
	succeeded        bool
	kvs              []*mvccpb.KeyValue
	compacted        bool // it was answered that the revision is compacted
	deleted          int64
}

// watched is one watcher's story, over all the streams that it took.
type watched struct {
	key  string // "" for all
	from int64  // the first revision that it wanted
	seen []sighting
	end  int64 // the revision up to which it must have seen all
}

// sighting is one thing that a watcher was told.
type sighting struct {
	at    time.Duration
	event *mvccpb.Event // nil for what follows
	// skipped says that all before it was compacted.
	skipped int64
	// promised says that all at or below it was delivered.
	promised int64
}

// leased is a lease's story.
type leased struct {
	id, ttl int64
	key     string
	// alive is when acknowledged grants and renewals were sent.
	alive []time.Duration
	// revoked says that its client tried to.
	revoked bool
}

// rev is the revision that a sighting is about.
func (s sighting) rev() int64 {
	if s.event != nil {
		return s.event.Kv.ModRevision
	}
	return max(s.skipped, s.promised)
}

// raised is a raise of the revision that its operator was told was made.
type raised struct {
	to           int64
	nonce        revision.Nonce
	began, ended time.Duration
}
