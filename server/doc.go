// Package server serves etcd's v3 API: it puts the services of package v3rpc on gRPC
// servers, behind sockets of package listener and the codec of package wire, and adds
// what an etcd serves besides. It holds no state of the store.
//
// server.go has the life cycle, config.go its settings and backend.go what it needs of
// the store. grpc.go has the transport options, limits.go what bounds
// clients; interceptor.go what holds for every
// call: a time limit (lazydeadline.go), a bound on memory (underway.go), an end when the
// server stops (livecalls.go), and package calllog
// outside of all of these, which tells of slow calls and makes their spans.
// clientcreds.go finds what a client shows of itself, and package usage counts what it asks for. http.go and health.go are the
// metrics URLs, metrics.go and metrics_store.go what they show, readiness.go when clients
// are served. gateway.go is JSON on the client URLs; loopback.go makes the server a
// client of its own, for that and for the lock and election services.
//
// # Life cycle
//
// listener.Listen binds the sockets, as early as possible, so that a port in use is an
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
//   - readiness (readiness.go): owned by Server; asks Backend.Ready, keeps the
//     gRPC health service true, opens the client listeners, ends require-leader
//     streams after a long outage; ended by Stop.
//   - the history of package usage: owned by Server; a tick a second; ended by Stop.
//   - per client listener an accept loop (listener.Mux), and one each in grpc.Server
//     and http.Server, which take from its queues; ended by Stop.
//   - per new connection one until it is known what it speaks, bounded by time.
//   - one accept loop a metrics listener, in http.Server.Serve; ended by Stop.
//   - the loopback's server, and what clientv3 starts for its leases and
//     watches; ended by Stop, after all that uses it.
//   - per gRPC connection and call: grpc-go's; those of the services are listed in
//     package v3rpc.
//   - what sends traces, if there are some: package tracing's; ended by Stop.
//   - per HTTP connection and request: net/http's. httpCalls counts the requests.
//   - per linearizable read of a probe: one that asks whether clients are still served;
//     it ends with the read.
//
// When Stop returns nothing of zkine's own runs any more. What is left then of
// grpc-go and net/http ends with the connections, which are
// closed, and does not call the Backend.
//
// # One port for gRPC and HTTP
//
// A client URL serves gRPC and, for the JSON gateway, /version and /health, HTTP.
// A listener.Mux decides once for each connection, by its first bytes in plaintext
// and by what the client offers in ALPN with TLS, so that gRPC's have grpc-go's own
// transport to themselves. There are three gRPC servers with the
// same services on them: for those connections; for calls that reach gRPC
// through net/http, since a client offered HTTP/1 too; and for the loopback,
// by which the gateway and the lock and election services are clients of the
// server that they are part of. They drain in this order.
//
// What differs from etcd: with TLS a client that offers h2 alone is taken for
// gRPC, so that JSON needs a client that could speak HTTP/1 (all do by default);
// /debug/vars is not there.
//
// # Limits
//
// limits.go bounds what a connection may do, for how long it may do nothing, and how
// many there may be, so that they leave descriptors to the way to ZooKeeper and to
// probes. A call says on its connection that it is under way
// (interceptor.go), and an HTTP request while its handler runs: a
// connection without one may be ended to make room for another.
//
// # Imports
//
// Packages calllog, tracing, v3rpc, gateway, listener, usage and wire, which do not import this one; of package backend
// the credentials of a call, and where its time went. What the server needs of a running
// backend comes in as the Backend interface. etcd's API messages and their JSON
// gateways, and its client. Never ZooKeeper's client.
package server
