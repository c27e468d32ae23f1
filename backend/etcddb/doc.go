// Package etcddb shows a state as the database that an etcd with the same
// history would keep on its disk (database.go), for snapshots that etcdutl
// restores into an etcd (snapshot.go, snapshots.go, file.go), and for etcd's Hash
// of a whole database (hash.go).
//
// It knows nothing of the log. Its goroutines are those that make files: one makes
// a file at a time, the others wait. Each ends once its file is made or no client
// waits for it, and Snapshots.Close waits for all of them.
//
// It may import state, revision for the vocabulary, etcd's API and bbolt; never
// backend.
package etcddb
