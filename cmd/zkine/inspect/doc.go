// Package inspect looks at what a root holds, from outside: members, the log, the
// checkpoint, sizes, the largest keys, leases. It reads ZooKeeper, and asks the zkines
// that are listed only how many watchers they have.
//
// It changes nothing. Of keys and values it holds a chunk of the checkpoint at a time,
// and the largest ones: memory does not grow with the root, unless the caller has the
// log replayed.
package inspect
