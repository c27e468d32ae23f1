// Members looks at several zkines on one ensemble of three ZooKeepers:
//
//	go run ./members                # how much three write beside one, whether all are served alike, how soon a watch sees
//	go run ./members -cost          # what is asked of ZooKeeper for a write, and the processor time that takes
//	go run ./members -churn 1h      # everything comes and goes; fails if memory, goroutines or files grow
//
// All of it is started on free loopback ports, with fsync, in a temporary folder.
package main
