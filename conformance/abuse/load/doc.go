// Package load makes the loads of make abuse: what a careless or hostile client does to a server of etcd's API that it
// reaches over the loopback interface. Each is bounded in count and time, and consists of ordinary calls, of bytes that
// a printed seed repeats, or of silence.
//
//	job.go        what the process of a load is told, and what it tells
//	conns.go      connections that only exist, and those that come and go
//	garbage.go    bytes that are no protocol, headers that trickle or are large
//	watches.go    watch streams: many, and some that never read
//	readers.go    readers of lists, events and snapshots that read 1 KiB/s, or nothing
//	logins.go     logins that fail
//	gateway.go    large JSON bodies
//	leases.go     leases, granted and kept alive
//	requests.go   many puts at once; requests over the limits
//	call.go       what these share: gRPC connections, workers
//
// It runs in a process of its own, at the lowest priority: the well-behaved client and the server would have a machine
// without it. It knows nothing of zkine.
//
// Goroutines: workers, which end with the context.
package load
