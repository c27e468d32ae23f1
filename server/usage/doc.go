// Package usage knows who asks a zkine for what: which prefixes of keys, and which
// clients, with what rates. It is what `zkine top` and the console show.
//
//	report.go     what is told: a Report
//	keys.go       the prefix that a key counts for; Kubernetes' resources and namespaces
//	labels.go     what clients choose, bounded and printable
//	table.go      a bounded number of counted things, of which the busiest stay
//	history.go    what was counted in the last minute, second by second
//	recorder.go   the Recorder: both tables, and its goroutine
//	requests.go   what a request and its answer count as
//	clients.go    who calls
//	stream.go     the same for the messages of a stream, and the watchers in it
//	resources.go  Prometheus' counters by resource
//
// # What is bounded
//
// Clients choose keys and user agents. A table holds at most tableSize things of at
// most maxLabel bytes for each text; history holds at most historySeconds of the
// busiest historyWidth. What does not fit is counted as "other", so that sums are
// always right.
//
// # Cost
//
// A unary call takes a lock for its prefix and one for its client, each for some
// additions. A watcher's events are counted in the watcher and collected each second.
// BenchmarkCall measures both; docs/top.md has the figures.
//
// # Goroutines
//
// Run is the only one: it closes a second of history, each second.
//
// # Imports
//
// Nothing of zkine. etcd's API messages, gRPC's streams and Prometheus' client.
package usage
