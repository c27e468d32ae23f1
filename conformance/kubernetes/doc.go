// Package kubernetes proves zkine by the tests that Kubernetes has for its own storage layer, unmodified. The README
// says which and how; package run runs them, package testserver is what they find in the place of etcd.
//
// It holds no code. What it imports are the packages whose tests are run, so that go.mod and go.sum hold everything
// that those tests need.
package kubernetes

import (
	// For their tests; see above.
	_ "k8s.io/apiserver/pkg/reconcilers"
	_ "k8s.io/apiserver/pkg/registry/generic/registry"
	_ "k8s.io/apiserver/pkg/storage/cacher"
	_ "k8s.io/apiserver/pkg/storage/etcd3"
	_ "k8s.io/apiserver/pkg/storage/etcd3/testserver" // for -store etcd
	_ "k8s.io/apiserver/pkg/storage/storagebackend/factory"
)
