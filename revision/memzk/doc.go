// Package memzk is a ZooKeeper ensemble in memory, for tests: it satisfies
// revision.Dialer, so that the whole of package revision runs on it, with
// faults on request. What a fault does to a real server is shown by package
// zktest; this one makes every interleaving cheap.
//
// It models what the log relies on: multis that are atomic and totally ordered
// by zxid, versions, sequential names from cversion, ephemerals, one-shot
// watches, servers that lag behind each other, and sessions that end with their
// connection.
//
// It owns no goroutines but one for each late request (Fault Late), which
// ends when the request has run. It imports revision and the client's types.
package memzk
