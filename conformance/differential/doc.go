// Package differential drives a zkine and an etcd with the same random requests, and compares what they answer to the
// byte: responses, the codes and words of errors, what watchers see, and HashKV at each revision, and
// once more when that is compacted at. What may differ is
// made equal first, in normalize.go: who answered, and the order of keys that etcd itself leaves open; and in keysonly.go,
// leases that etcd leaves out. Where etcd's RangeStream sorts wrongly, its Range is what zkine's is compared with.
//
//	go test ./differential                              # a short run, as part of every change
//	go test ./differential -seeds 20 -ops 10000         # a long one; each seed has a store of its own
//	go test ./differential -seed 7 -ops 10000 -shrink   # repeat a seed, and look for a short way to the difference
//	go test ./differential -busy                        # with a busy log, see below, not just for odd seeds
//
// What is asked, by file:
//
//	generate.go              puts with every flag, ranges and streams of them with every option, deletes, compactions;
//	                         keys with NUL and 0xff, values up to and over the limit, requests that are refused
//	generate_txn.go          transactions in transactions, every compare, ranges of keys in it; full ones, and fuller
//	generate_lease.go        leases; some that expire, with keys
//	generate_watch.go        watchers with every option, alone on a stream and many on one, with ids of their choice
//	generate_maintenance.go  alarms, and what is refused while they are on; Status; calls that are refused
//
// The requests of a seed depend on the seed and on the revisions that etcd answered, nothing else. Requests are made
// one after the other: what concurrent ones do is the matter of other checks.
//
// With a busy log, zkine goes on to a new segment of the log after every few slots, packs the one before, and writes a
// checkpoint when there is as much log as it takes. Now and then a second zkine is started on the same root, which
// therefore begins with such a checkpoint, and is asked for everything too.
//
// A difference that was mended stays as a case: case.go. Goroutines: one for each watch stream, until the test's end;
// one for each request, which asks zkine while etcd is asked.
package differential
