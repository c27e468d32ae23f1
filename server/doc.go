// Package server is the etcd v3 gRPC facade: it checks requests as etcd does,
// hands them to a Backend, puts etcd's identity into the headers and turns
// errors into etcd's codes and words. It holds no state of the store.
//
// One file holds one service (kv.go, watch.go, lease.go, cluster.go,
// maintenance.go, auth.go, lock.go, election.go); a handler is check, call, map the
// error, fill the header. Beside them stand check.go and check_overlap.go (what can
// be refused without looking at the state), errors.go and errors_statuses.go (the
// only places that know gRPC codes), header.go, interceptor.go (what holds for every
// call), calllog.go, grpc.go (transport options), listen.go, protocolmux.go, tls.go
// and transportcreds.go (from a URL to a connection), http.go and health.go (the
// metrics URLs), gateway.go (JSON), loopback.go (the server as its own client),
// metrics.go, and server.go with the life cycle.
//
// # Life cycle
//
// Listen binds the sockets, as early as possible, so that a port in use is an
// error before anything else is started. New and Start bring up the metrics
// URLs: /livez answers from then on, /readyz says what is missing. Attach
// gives the server its Backend. Client connections are accepted once the
// Backend was ready for the first time: until then they wait in the kernel's
// queue, as they do with a starting etcd, and no client is shown a revision
// older than one it has seen elsewhere. Stop drains: it says GOAWAY to every
// connection, ends the streams that would never end by themselves with
// Unavailable, which makes clients move on, lets the other calls finish, and
// cuts off what is left when its context ends.
//
// # Goroutines
//
//   - readiness (readiness.go): owned by Server; polls Backend.Ready, keeps the
//     gRPC health service true, opens the client listeners, ends require-leader
//     streams after a long outage; ended by Stop.
//   - per client listener an accept loop (protocolmux.go), and one each in grpc.Server
//     and http.Server, which take from its queues; ended by Stop.
//   - per new connection one until it is known what it speaks, bounded by time.
//   - one accept loop a metrics listener, in http.Server.Serve; ended by Stop.
//   - the loopback's server, and what clientv3 starts for its leases and
//     watches; ended by Stop, after all that uses it.
//   - per gRPC connection and call: grpc-go's.
//   - per watch stream: a reader of the client's requests, a dispatcher that
//     passes them to the WatchStream, and the handler itself, which sends.
//   - per keepalive stream: a reader, a dispatcher, a goroutine for each renewal
//     under way, and the handler, which answers in the order of the requests.
//
// Dispatchers and renewals end before their handler returns, and handlers
// before Stop returns. A reader ends when gRPC has torn down its stream.
//
// # One port for gRPC and HTTP
//
// A client URL serves gRPC and, for the JSON gateway, /version and /health, HTTP.
// A Mux decides once for each connection, by its first bytes in plaintext and
// by what the client offers in ALPN with TLS (see Mux), so that gRPC's have
// grpc-go's own transport to themselves. There are three gRPC servers with the
// same services on them: for those connections; for calls that reach gRPC
// through net/http, since a client offered HTTP/1 too; and for the loopback,
// by which the gateway and the lock and election services are clients of the
// server that they are part of. They drain in this order.
//
// What differs from etcd: with TLS a client that offers h2 alone is taken for
// gRPC, so that JSON needs a client that could speak HTTP/1 (all do by default);
// /debug/vars and --host-whitelist are not there.
//
// # Imports
//
// Packages backend, backend/state and revision, for their sentinel errors and
// plain types; what the facade needs of a running backend comes in as the
// Backend interface. etcd's API protobufs, its client, and its lock and election
// servers. Never ZooKeeper's client.
package server
