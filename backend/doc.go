// Package backend is the replicated state machine: it puts requests into the
// log, applies the log, and serves reads and watches from the state that this
// makes. The state itself, and what a request means, is package state.
//
// It owns the append loops (append.go: group commit), the apply loop (apply.go),
// linearizable reads by shared barriers (read.go), watch delivery by pull
// (hub.go, watch.go), the deadlines of leases on a service clock (lessor.go)
// and the keeper's proposals (keeper.go).
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
//	applyLoop    input: Log.Next            ends with the log's first error
//	reads.loop   input: forming groups      ends with the backend
//	hub.run      input: published views     ends with the backend
//	keeperLoop   input: a ticker            ends with the backend
//	leaderLoop   input: Status calls        ends with the backend
//	digestLoop   input: marks in the log    ends with the backend
//	housekeepLoop input: ends of segments   ends with the backend
//
// The apply loop alone touches the machine. Everyone else reads views, which
// are immutable. Close ends them all and waits.
//
// It may import state, revision (for the vocabulary; the log itself comes in
// as the Log interface), etcd's API, and metrics; never ZooKeeper's client and
// never server.
package backend
