// Package memlog is the log in memory, for tests of what stands on a log and needs
// none of ZooKeeper's protocol: several members open one Store (store.go), each
// with a Log of its own (log.go), which satisfies backend.Log. What goes wrong is
// said by the test (faults.go): an append whose outcome is unknown, one that is
// refused, a lost connection, barriers that take long, a log that is trimmed.
//
// It promises what backend.Log's parts promise, and a contract test holds it and
// the log on ZooKeeper to the same. Everything happens under one lock, and nothing
// runs in the background.
//
// It may import revision for the vocabulary, and recordpb; never backend.
package memlog
