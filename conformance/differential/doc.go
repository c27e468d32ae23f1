// Package differential drives a zkine and an etcd with the same random requests, and compares what they answer to the
// byte: responses, the codes and words of errors, and what watchers see. What may differ is made equal first, in
// normalize.go: who answered, and the order of keys that etcd itself leaves open.
//
//	go test ./differential                              # a short run, as part of every change
//	go test ./differential -seeds 20 -ops 10000         # a long one; each seed has a store of its own
//	go test ./differential -seed 7 -ops 10000 -shrink   # repeat a seed, and look for a short way to the difference
//
// The requests of a seed depend on the seed and on the revisions that etcd answered, nothing else. Requests are made
// one after the other: what concurrent ones do is the matter of other checks.
package differential
