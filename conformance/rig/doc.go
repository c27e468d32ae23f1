// Package rig runs the real programs for the suites of conformance: zkine, etcd and ZooKeeper, as processes of their own
// on free ports of the loopback interface.
//
//	checkout.go   where the checkout is, and what is built from it
//	process.go    a program that is started, killed, stopped and started again
//	output.go     what it printed
//	ports.go      free ports
//	ready.go      when a server serves
//	zkine.go      a zkine
//	etcd.go       an etcd, alone or with others
//	zookeeper.go  a ZooKeeper, alone or with others
//
// Package rigtest, below it, ends all of that with the test that asked for it.
//
// It is a module of its own that needs nothing but what zkine itself needs. conformance/robustness pins what etcd's
// tests need and conformance/kubernetes what Kubernetes needs, and a module that they shared with the other suites would
// raise their versions to those suites'.
//
// It imports package embedded of zkine, for ZooKeeper and ports, and nothing of a zkine's inside.
//
// Goroutines: one that starts children, for as long as the program runs; for each child one that waits for its end, and
// those of os/exec that copy its output; for each wait until a server serves, one that looks whether it ended.
package rig
