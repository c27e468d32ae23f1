// Package testserver takes the place of k8s.io/apiserver/pkg/storage/etcd3/testserver, with the two functions that
// Kubernetes' storage tests use of it. Package run copies this folder over the original, so what is here is compiled
// twice: in this module, for vet, and among Kubernetes' packages, for their tests.
//
// A zkine runs in the test's own process, so that the race detector sees it too, on the real ZooKeeper named by
// $ZKINE_KUBE_STORAGE_ZOOKEEPER, under a root of its own. Its goroutines end in t.Cleanup.
//
// It may import zkine's server, backend and revision, etcd's client, and of etcd's server the embed.Config that is
// part of the signatures.
package testserver
