// Package api holds the checks that belong to every change of zkine, made from where its users stand: the real zkine
// in a process of its own, on a real ZooKeeper, is used through clientv3 and plain gRPC, and is killed, stopped and cut
// off while it is used.
//
// What can be told of etcd too is run against an etcd as well (onBoth), so that what these tests expect is what etcd
// does, and not what somebody thought it did.
//
// Everything is built with the race detector, and a race that a zkine reports fails the test that ran it.
package api
