// Package auth drives a zkine and an etcd with the same random requests of users with and without permissions, and
// compares what they answer: responses, codes and words. It covers all calls about users and roles, and for every other
// call whether it is permitted.
//
//	go test ./auth                          # a short run, as part of every change
//	go test ./auth -seeds 20 -ops 5000      # a long one; each seed has stores of its own
//	go test ./auth -seed 7 -ops 5000 -v     # repeat a seed, and print each request with its answer
//
// zkine runs inside the test on a ZooKeeper in memory, etcd in its embedded form, both with cheap hashes of passwords:
// what is compared does not depend on more. Even seeds have simple tokens, the others JSON web tokens. The requests of a
// seed depend on the seed alone.
package auth
