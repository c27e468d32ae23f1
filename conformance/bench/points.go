package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zkine/zkine/conformance/bench/contender"
)

// point is one thing that is measured on several contenders.
type point struct {
	workload string // its name in tables
	plan     string // what the load does; "" means the workload's name
	clients  int
	watchers int
	data     dataSet
	on       []contender.Kind
	only     []string // contenders, besides those of on
	phase    string   // of a recording that is replayed
	// fresh has each turn start its contender anew, with nothing else running, and stop it afterwards.
	fresh *fresh
	// half says that the load is half of what etcd can take, see halves.
	half half
}

// half is which load is half of what.
type half int

const (
	flatOut half = iota
	ofEtcd       // half of what the etcd with as many servers takes with these clients flat out
	ofOwn        // half of what the contender itself takes
)

// dataSet is keys that are there before the load.
type dataSet struct {
	prefix string
	keys   int
}

var (
	updated  = dataSet{"/registry/updated/", 10_000}
	mixed    = dataSet{"/registry/mixed/", 10_000}
	watched  = dataSet{"/registry/watched/", 1_000}
	listed   = dataSet{"/registry/listed/", 10_000}
	huge     = dataSet{"/registry/huge/", 100_000}
	created  = dataSet{"/registry/created/", 0}
	noData   = dataSet{"/registry/none/", 0}
	few      = dataSet{"/registry/few/", 1_000}
	everyone = []contender.Kind{contender.Zkine, contender.Etcd, contender.Kine, contender.Bare, contender.Secure, contender.Plain, contender.Leased}
	servers  = []contender.Kind{contender.Zkine, contender.Etcd, contender.Kine}
	reads    = []contender.Kind{contender.Zkine, contender.Etcd, contender.Kine, contender.Secure, contender.Plain, contender.Leased, contender.Own}
	all      = append(everyone[:len(everyone):len(everyone)], contender.Own)
	// kine has no serializable reads and no leases beyond grants, and its lists and watches are another league.
	equals = []contender.Kind{contender.Zkine, contender.Etcd}
	// alone are stores of one server.
	alone = []string{"zkine1", "before1", "zkine1-defaults", "zkine-own", "before-own", "etcd1"}
	// What starts anew also takes zkine with the ZooKeeper that it starts by itself, as people try it first.
	started = []contender.Kind{contender.Zkine, contender.Etcd, contender.Own}
)

// points are all that is measured, in the order of the table.
var points = slices.Concat(kubePoints(kubeCold), kubePoints(kubeWarm), []point{
	{workload: "update", clients: 1, data: updated, on: all},
	{workload: "update", clients: 10, data: updated, on: everyone},
	{workload: "update", clients: 100, data: updated, on: all},
	{workload: "update", clients: 400, data: updated, on: everyone},
	// Not bare: its multis are then as large as they may be, and ZooKeeper keeps the last 500 of them in its heap.
	{workload: "update", clients: 1000, data: updated, on: servers},
	{workload: "update-half", plan: "update", clients: 100, data: updated, on: equals, half: ofEtcd},
	{workload: "update-half-own", plan: "update", clients: 100, data: updated, on: equals, half: ofOwn},
	// By grpc-go's client, which most programs have.
	{workload: "update-go", clients: 10, data: updated, on: equals},
	{workload: "update-go", clients: 100, data: updated, on: equals},
	{workload: "create", clients: 100, data: created, on: servers},
	{workload: "mixed", clients: 100, data: mixed, on: servers},
	{workload: "get", clients: 1, data: updated, on: reads},
	{workload: "get", clients: 100, data: updated, on: reads},
	{workload: "get-go", clients: 100, data: updated, on: equals},
	// One client's is the way through gRPC and back, and nothing else.
	{workload: "get-serial", clients: 1, data: updated, on: equals},
	{workload: "get-serial", clients: 100, data: updated, on: equals},
	{workload: "list-10k", plan: "list", clients: 1, data: listed, on: servers},
	{workload: "list-10k", plan: "list", clients: 4, data: listed, on: equals},
	{workload: "list-100k", plan: "list", clients: 1, data: huge, on: equals},
	{workload: "paged-100k", plan: "paged", clients: 1, data: huge, on: equals},
	{workload: "rangestream-100k", plan: "rangestream", clients: 1, data: huge, on: equals},
	{workload: "count-100k", plan: "count", clients: 10, data: huge, on: equals},
	{workload: "watch", clients: 8, watchers: 10, data: watched, on: equals},
	{workload: "watch", clients: 8, watchers: 100, data: watched, on: equals},
	{workload: "watch", clients: 8, watchers: 1000, data: watched, on: equals},
	{workload: "watch-half", plan: "watch", clients: 32, watchers: 100, data: watched, on: equals, half: ofEtcd},
	{workload: "lease-grant", clients: 100, data: noData, on: equals},
	{workload: "lease-alive", clients: 100, data: noData, on: equals},
	// All just started.
	{workload: "update-cold", plan: "update", clients: 1, data: few, on: started, fresh: &fresh{length: coldTurn}},
	{workload: "update-cold", plan: "update", clients: 100, data: few, on: equals, fresh: &fresh{length: coldTurn}},
	// Memory of all their processes after the same load.
	{workload: "memory", plan: "update", clients: 50, data: few, only: alone, fresh: &fresh{length: memoryTurn}},
	// A script's puts, while other work has all processors busy.
	{workload: "puts-beside", plan: "puts", clients: 1, data: few, only: alone, fresh: &fresh{length: time.Minute, ops: 1025, beside: true}},
	{workload: "tool-put", clients: 1, data: updated, on: equals},
	{workload: "tool-put", clients: 100, data: updated, on: equals},
	{workload: "tool-txn-put", clients: 100, data: updated, on: equals},
	{workload: "tool-range", clients: 100, data: updated, on: equals},
	{workload: "tool-range-serial", clients: 100, data: updated, on: equals},
})

// String is what -run is matched with: the workload, and the phase or the number of watchers or else of clients.
func (p point) String() string {
	if p.phase != "" {
		return p.workload + "/" + p.phase
	}
	return fmt.Sprintf("%s/%d", p.workload, max(p.clients, p.watchers))
}

func (p point) planName() string {
	if p.plan != "" {
		return p.plan
	}
	return p.workload
}

// roundsOf is how many turns each contender has with a point: more with updates, where most is asked and what the disk
// does is seen most.
func (o options) roundsOf(p point) int {
	switch {
	case o.rounds > 0:
		return o.rounds
	case strings.HasPrefix(p.workload, "update"), p.fresh != nil && p.fresh.beside:
		return 3
	}
	return 2
}

// chosen are the points that the flags ask for.
func chosen(run *regexp.Regexp, clients []int) []point {
	var some []point
	for _, p := range points {
		if run.MatchString(p.String()) && (len(clients) == 0 || slices.Contains(clients, p.clients)) {
			some = append(some, p)
		}
	}
	return some
}
