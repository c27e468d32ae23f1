// Package snapshot checks that a backup of zkine is one of etcd: what etcdctl saves is examined and restored by
// etcdutl, and served by a real etcd, which must then show the same keys, history, leases and hashes; and the database
// is compared, entry by entry, with that of an etcd that was told the same.
//
// The programs are those of ../components, built when they are missing.
package snapshot
