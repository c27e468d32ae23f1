// Abuse shows what one client costs the others:
//
//	go run ./abuse                       # all rows; 25 minutes
//	go run ./abuse -list                 # the rows
//	go run ./abuse -run 'gateway|watch'  # some of them
//	go run ./abuse -markdown abuse.md    # writes the report to a file, too
//
// Each row is a load of package load that a careless or hostile client makes. It goes to a new zkine, then the same to a
// new etcd, one at a time, while a well-behaved client puts, gets and watches at a fixed rate far below what either
// takes. Printed are, for both, the latency of that client before and during the load, whether calls of its fail, whether
// newcomers are served, the most memory, descriptors and goroutines of the server, what it logs, and how soon all is as
// before. The row is missed, and the exit code 1, when zkine is worse than bars.go says.
//
// A load is a process of its own at the lowest priority, and ends by itself. Of zkine only its own process is looked at,
// not its ZooKeeper, which no client reaches. All run on free loopback ports with their data in a temporary folder.
//
// Linux only: it reads /proc.
//
// Goroutines: the client's calls and its watch, a sampler, a prober; all end with the turn of a server.
package main
