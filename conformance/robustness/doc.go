// Package robustness has etcd's own judges judge zkine: the model, the
// validators, the recording clients and the traffic of
// go.etcd.io/etcd/tests/v3/robustness, unmodified, and porcupine.
//
// A run is one Scenario: a ZooKeeper, one or several zkines on one root of it,
// etcd's or Kubernetes' traffic from many clients, and faults. What the clients
// asked and saw is recorded. An Observer reads the log while it grows, which
// gives the requests that took effect, in order. With both,
// Judge decides: operations are linearizable; watches are ordered, unique,
// reliable, atomic, resumable and bookmarkable, with true IsCreate, PrevKV and
// filters; reads at old revisions say what was there.
//
// The validators skip watches and old reads, and call that success, when they
// are given no requests. Judge therefore counts what there was to be judged,
// and a verdict without any of it is a failure.
//
// # Ordering of a run
//
// Start; record the empty store; traffic and watchers; faults, one after the
// other, each with traffic before, during and after it, which the Observer
// tells from the log itself; all zkines ready; traffic ends; one last write,
// which the validators need; watchers reach it; each zkine is compared with
// the log; zkines are killed; the log is read to its end, and what is left of it
// once more, from the newest checkpoint.
// Nothing waits for time to pass, only for conditions.
//
// # Goroutines
//
// Clients and their watches are etcd's. Beside them a Traffic has one goroutine
// for each migrating client and watcher, and one for the watchers that see
// everything; an Observer has one that applies the log. Faults happen on the
// test's own goroutine.
//
// # A network
//
// With -network the program runs again in namespaces of its own, and a cluster of
// several ZooKeepers is spread over nodes of a Network (network.go), which can be
// hurt link by link. TestFaults plays Matrix there, with a Probe for each zkine
// and Tenants of leases. A Network has two goroutines for each node.
//
// # Seeds
//
// A seed decides the faults' order, victims and distances, and what the
// migrating clients do; etcd's traffic draws from math/rand's global source,
// which it seeds too. It does not decide how the machine schedules all that.
//
// The package imports zkine's backend/state, revision and the packages below it.
package robustness
