// Measure takes zkine's start time and its throughput and latency of puts, beside etcd's, on this machine, and prints
// them as Markdown:
//
//	components/build.sh etcd
//	go run ./measure
//
// zkine runs with the ZooKeeper that it embeds, as "make run" starts it; etcd as a cluster of one. Both write to the
// same disk, with fsync before each answer, in folders side by side. Both are up all the while and take turns, round
// by round: what the machine does besides hits both. Each client has a connection of its own, as the API servers of
// Kubernetes have, and puts one value after the other.
//
// It is small on purpose, and a look at one machine: what it shows are ratios, not limits.
package main
