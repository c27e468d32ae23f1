// Package etcdapi moves keys out of and into a store that is not zkine's, by the
// etcd API alone: an etcd, or a kine in front of a SQL database.
//
// A Source (source.go) is read at one pinned revision (pages.go), with its leases
// (leases.go), users and roles (access.go) and the changes of that very revision
// (changes.go), and is followed from there on (changes.go). A Sink (sink.go) is an
// empty etcd that is filled.
//
// It knows nothing of the log. Its goroutines are those that read a page ahead, those
// that ask for leases, and those of etcd's client; all end with the call that has
// started them.
package etcdapi
