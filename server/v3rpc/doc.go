// Package v3rpc is the services of etcd's API, named after the package of etcd that
// does the same. It checks requests as etcd does, hands them to a Backend, puts
// etcd's identity into the headers and turns errors into etcd's codes and words. It
// holds no state of the store.
//
// One file holds one service: kv.go, watch.go, lease.go, cluster.go,
// maintenance.go, auth.go, lock.go and election.go, with observer.go; of Maintenance, alarm.go, hash.go
// and snapshot.go hold the calls that they are named after. A handler is check, call,
// map the error, fill the header. Each service declares the part of the store that it
// needs, and holds nothing else of it.
//
// Beside the services stand check.go and check_overlap.go (what can be refused
// without looking at the state), auth_guard.go (who may call), header.go, stream.go
// (what a client sends on a stream), services.go, and errors.go with
// errors_statuses.go, the only files of the server that choose a gRPC code: all others
// answer with ToGRPC, with what these two declare, or with etcd's ready-made rpctypes.
//
// # Goroutines
//
//   - per watch stream: a reader of the client's requests, a dispatcher that
//     passes them to the WatchStream, and the handler itself, which sends.
//   - per keepalive stream: a reader, a dispatcher, a goroutine for each keepalive
//     under way, and the handler, which answers in the order of the requests.
//   - per Observe of an election: one in which etcd's service observes; the handler
//     sends.
//   - per snapshot: one that sends it; the handler looks whether the client takes
//     anything.
//
// Dispatchers and keepalives end before their handler returns. A reader, and the
// sender of a snapshot whose client is given up, end when gRPC has ended their stream;
// Services.Wait waits for them.
//
// # Imports
//
// Package backend and those below it, and package revision, for their sentinel errors
// and plain types; what the services need of a running backend comes in as
// interfaces. bcrypt, for one error. etcd's API messages, its client, and
// its lock and election servers. Never ZooKeeper's client, nor package server.
package v3rpc
