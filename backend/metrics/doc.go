// Package metrics counts what the backend does, for Prometheus. Where etcd has a family
// of the same meaning its name, type, labels and help are etcd's.
//
//	metrics.go  appends, barriers, proposals: what happens between a client and the log
//	applied.go  what was applied: requests, operations on keys, leases
//	state.go    what the state holds at the moment, and how far behind it and watches are
//	renamed.go  a histogram under further names
//
// It may import revision, the records and the state.
package metrics
