// Package manifests checks what deploy has for Kubernetes: the kustomize base, the Helm chart, the files of deploy/seed.
//
//	objects.go         the objects of a YAML file
//	manifests_test.go  what they say of themselves and of each other; part of make test
//	cluster_test.go    what a real kube-apiserver says of them, kubectl and helm; make manifests
//	simulated_test.go  how the base runs on nodes that kwok simulates: placed, rolled over, drained, deleted; make manifests
//
// The kube-apiserver runs on a zkine.
package manifests
