// Package simulation runs several whole zkines on an ensemble in memory, under a
// scheduler that decides by a seed what happens next. All of it is test code.
//
// A run is a world. Everything in it lives in a bubble of testing/synctest,
// where the clock stands still until all goroutines wait for something. Each
// call that a zkine makes to ZooKeeper waits on the world's network, which
// gives it a moment in the future for its arrival and, once it was executed,
// one for its reply. The scheduler (scheduler_test.go) takes what is due next,
// does it, waits until every goroutine has come to rest again, and so on. So
// the interleaving of all that zkines do to ZooKeeper is the seed's, and the
// virtual minutes of a run take milliseconds.
//
// Every step may go wrong (network_test.go): a request, or only its reply, is
// lost with its connection; a request arrives late, after its sender has given
// it up; a zkine dies before or after a step took effect. Beside that, disasters
// strike now and then (disasters_test.go): all connections are cut, the ensemble
// is away, one of its servers is cut off or lags behind, sessions expire, zkines
// freeze, die and come back. Some worlds end with the ensemble losing its tail
// (every zkine that knew more must stop), or with a bit that flips in the memory
// of the keeper (it must stop, and no other). In some, operators raise the revision
// (raise_test.go), with all zkines stopped or while they serve.
//
// At the same time clients (client_test.go, watcher_test.go, tenant_test.go)
// write, compare and set, read, watch, hold leases and compact, on any zkine. What
// they saw is judged at the end against the log (history_test.go,
// check_*_test.go). That all zkines have the same digest after the same slot is
// judged at once (truth_test.go).
//
// A failure names its seed; TestSeed with -seed runs it again. What Go decides
// by itself between two steps (which case of a select, which goroutine first)
// does not follow from the seed; TestSeedsAreReproducible shows how little that is.
package simulation
