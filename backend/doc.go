// Package backend is the replicated state machine: it puts requests into the
// log, applies the log, and serves reads and watches from the state that this
// makes. The state itself, and what a request means, is package state.
//
// It owns the append loops (propose.go: group commit), the apply loop (apply.go)
// and linearizable reads by shared barriers (linread.go). Watches are package
// watch, the deadlines of leases package lessor, what is done beside the requests
// of clients package housekeep, and how the state looks as a database of etcd's
// package etcddb. Each of them gets what it needs as functions and small
// interfaces.
//
// # One write
//
// A call queues a proposal (queue.go). An append loop takes all that has
// queued up and hands it to the log as one batch. The apply loop gets the
// batch back as a slot, in its turn, evaluates it, publishes the new view,
// wakes watchers and readers, and answers the proposals. So an answer always
// comes from the log, never from the hope that an append succeeded.
//
// # Goroutines
//
//	appendLoop   input: queue               ends with the backend; as many as
//	                                        appends may be under way
//	applier.loop input: Gate.Await          ends with the log's first error
//	reads.loop   input: forming groups      ends with the backend
//	Hub.Run      input: published views     ends with the backend
//	serving.loop input: a timer             ends with the backend
//
// The holder of the applier's lock alone touches the machine: its loop, or the
// goroutine on which Eager has told of a slot. All others read views, which are
// immutable. Close ends them all, and those of housekeep and etcddb, and
// waits.
//
// # The log
//
// Each part holds of the log only what it needs: Appender (propose.go), Source
// (apply.go), Barrier (linread.go), housekeep.Store, Membership, Info and
// Eager (log.go).
// Log is their sum. Package memlog is one in memory, for tests.
//
// It may import housekeep, lessor, watch, etcddb, token, state, revision (for the
// vocabulary; the log itself comes in as the Log interface), etcd's API, and
// metrics; never ZooKeeper's client and never server.
package backend
