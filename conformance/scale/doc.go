// Scale measures what zkine costs with a great deal of data, and prints it as Markdown:
//
//	go run ./scale                  everything; half an hour
//	go run ./scale -only pods,start one or more of: pods, steady, start, large, failover
//
// zkine runs as a process of its own on ZooKeepers of the run's own, which fsync each write, on the disk that -dir
// names. What is stored looks like what Kubernetes stores: pods of 2 to 4 KiB in their protobuf form with structure
// that repeats, leases, events, and secrets with random bytes (objects.go). Bytes and znodes are counted by reading the
// whole tree under zkine's root. ZooKeeper's heap is read after a full collection, through HotSpot's attach socket.
//
// Each row says what was asked for beside what was measured; the exit code is 1 if a row falls short.
package main
