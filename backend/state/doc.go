// Package state is the state machine that every zkine runs: the keys and their
// versions, the leases and the alarms that a log of requests leads to, and the
// answers to those requests.
//
// It is pure. Nothing here reads a clock, draws a random number, takes a lock,
// starts a goroutine, looks at a flag or depends on the order of a Go map. So
// every zkine that applies the same slots holds the same state and gives the same
// answers.
//
// It may import package revision (the vocabulary: revisions, places in the log,
// slots) and recordpb, package packed (values in little memory), etcd's API messages, the ordered tree, and etcd's interval
// tree; nothing else of this project.
//
// # Which goroutine may do what
//
// One goroutine owns a [Machine]: it calls Apply, View and CompactPhysically. A
// [View] is the state between two slots. It never changes, and any number of
// goroutines may read it, for any time, without a lock.
//
// # How a view can be immutable and cheap
//
// The trees (live keys, tombstones, leases) are copy-on-write: a view holds copies
// that share every node with the machine's own, and the machine copies a node
// before it first writes to it. The changes by revision, and the log of creates
// and deletes, are vectors of fixed chunks: a view holds a length, and the machine
// writes only past every length that it has handed out.
//
// A version of a key is written once, but for its pointer to the version before,
// and for the form of its value in memory: a reader loads one form or the other,
// of the same content (see package packed).
// CompactPhysically sets that to nil when a compaction has made the older versions
// unreadable. First it publishes the floor of that compaction. So a reader of an
// old revision looks at this floor after it has read, and returns [ErrCompacted] if
// its revision is below. A read at the view's own revision follows no such pointer,
// and never fails.
//
// # Where things are
//
//   - machine.go: Apply, duplicates, and what happens when evaluation panics
//   - store.go, view.go: the fields that a machine and its views share
//   - version.go: one version of a key, in mvccpb.KeyValue's wire encoding
//   - keyspace.go: the trees, counting, reading at an old revision
//   - history.go, vector.go: the changes by revision
//   - cool.go: which values are packed
//   - evaluate.go: which request is evaluated where, and what alarms refuse
//   - range.go, listing.go, put.go, delete.go, compare.go, txn.go: evaluation, as
//     etcd's server/etcdserver/txn and server/storage/mvcc define it
//   - answer.go, afford.go: what clients get, and what they may ask for
//   - lease.go, alarm.go, compact.go, raise.go, agreement.go: the other requests
//   - auth*.go: users, roles, permissions, and who may do what
//   - etcdentries.go, hash.go: the history as etcd stores it, and its HashKV
//   - checkpoint*.go, restore*.go: the state as bytes, and back
//   - foreign.go: what no log led to, as a checkpoint
//   - lineage.go: whether one state can follow on another
//   - digest.go: a digest of everything
package state
