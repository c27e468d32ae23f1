// Package zkacl is about who may touch what zkine keeps in ZooKeeper: the ACL of
// its znodes.
//
// ACLs are not inherited, and each znode of a root has the same. What they say is
// set down where znodes are created, by zkclient; this package reads ACLs that
// people write, and judges those that znodes have.
package zkacl
