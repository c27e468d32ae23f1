package main

import (
	"fmt"
	"slices"
)

// above is the import path above all packages that are tested.
const above = upstream + "/pkg/"

// suite is a package whose tests are run.
type suite struct {
	name string // below above
	// functions is how many test functions there are, so that none gets lost unseen.
	functions int
	// served says that there are tests which start a store.
	served bool
}

// suites are all packages: those that the proof is about, and three more whose tests start a store. The numbers are
// those of the version that go.mod pins.
var suites = []suite{
	{name: "storage/etcd3", functions: 70, served: true},
	{name: "storage/etcd3/metrics", functions: 7},
	{name: "storage/etcd3/preflight", functions: 8},
	{name: "storage/cacher", functions: 135, served: true},
	{name: "storage/cacher/consistency", functions: 2},
	{name: "storage/cacher/key", functions: 1},
	{name: "storage/cacher/progress", functions: 1},
	{name: "storage/cacher/store", functions: 9},
	{name: "storage/storagebackend/factory", functions: 6, served: true}, // health checks, TLS
	{name: "registry/generic/registry", functions: 50, served: true},
	{name: "reconcilers", functions: 2, served: true},
}

func (s suite) path() string { return above + s.name }

// choose returns the named suites, or all when none is named.
func choose(names []string) ([]suite, error) {
	if len(names) == 0 {
		return suites, nil
	}
	var chosen []suite
	for _, name := range names {
		i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no package %q; see go run ./run -h", name)
		}
		chosen = append(chosen, suites[i])
	}
	return chosen, nil
}
