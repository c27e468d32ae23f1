// Package clients has the programs and libraries that people use an etcd with use a zkine: every group of commands of
// etcdctl, the packages of clientv3, etcd's gRPC proxy, CoreDNS, and what Patroni and APISIX send; Patroni itself with two
// nodes of PostgreSQL, a program in Node, and Vitess' own tests of its topology. The real zkine runs in a process of its
// own, on a real ZooKeeper.
//
// A check that can be made of an etcd too is made of one as well (onBoth, and most of testdata/*.txt), so that what is
// expected here is what etcd does.
//
// What takes minutes is left out unless -slow is given: "make clients" runs all.
//
// The programs are those of ../components, built when they are missing.
package clients
