// Command run runs Kubernetes' storage tests on zkine, or with -store etcd on etcd. In order:
//
//	scratch.go     copies the module k8s.io/apiserver, as go.mod pins it, to .cache/kube-storage/<store>, and there
//	               puts package testserver in the place of the one that starts etcd
//	zookeeper.go   starts a ZooKeeper, which all tests share: each zkine has a root of its own on it
//	warm.go        writes to it, until it is as fast as it gets
//	gotest.go      runs go test on the copy, and reads its events
//	tally.go       counts what became of each test
//	excused.go     knows what is skipped on etcd as well
//	report.go      prints the table, and what failed
//
// It ends with 1 if a test failed, was skipped without etcd skipping it too, or did not run at all.
//
// Goroutines: those of the ZooKeeper, ended before main returns.
package main
