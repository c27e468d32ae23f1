// Package memzk is a ZooKeeper ensemble in memory, for tests: it satisfies
// zkclient.Dialer, so that the whole log runs on it, with faults on request. What a fault does to a real server is shown by package
// zktest; this one makes every interleaving cheap.
//
// It models what the log relies on: multis that are atomic and totally ordered
// by zxid, versions, sequential names from cversion, ephemerals, stats, one-shot
// watches, ZooKeeper's bound for a request, servers that lag behind each other,
// and sessions that end with their connection. Its tests are a contract: each
// case runs on a real ZooKeeper as well.
//
// It owns no goroutines. It imports zkclient, for its types, and the
// client's types.
package memzk
