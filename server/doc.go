// Package server is the etcd v3 gRPC facade: it checks requests as etcd does,
// hands them to a Backend, puts etcd's identity into the headers and turns
// errors into etcd's codes and words. It holds no state of the store.
//
// One file holds one service (kv.go, watch.go, lease.go, cluster.go,
// maintenance.go, auth.go); a handler is check, call, map the error, fill the
// header. Beside them stand check.go and overlap.go (what can be refused
// without looking at the state), errors.go (the only place that knows gRPC
// codes), header.go, interceptor.go (what holds for every call), slow.go,
// grpc.go (transport options), listen.go, http.go and health.go (the metrics
// URLs), metrics.go, and server.go with the life cycle.
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
//   - one accept loop a client listener, in grpc.Server.Serve; ended by Stop.
//   - one accept loop a metrics listener, in http.Server.Serve; ended by Stop.
//   - per gRPC connection and call: grpc-go's.
//   - per watch stream: a reader of the client's requests, a dispatcher that
//     passes them to the WatchStream, and the handler itself, which sends.
//   - per keepalive stream: a reader, a dispatcher, a goroutine for each renewal
//     under way, and the handler, which answers in the order of the requests.
//
// Dispatchers and renewals end before their handler returns, and handlers
// before Stop returns. A reader ends when gRPC has torn down its stream.
//
// # HTTP on the client URLs
//
// The client URLs serve gRPC only, straight from grpc-go's own HTTP/2
// transport. The JSON gateway, /version and /health belong on the same port.
// The way to add them without slowing gRPC down: a listener that reads the
// first bytes of a connection, under a deadline, and hands it on with those
// bytes put back; HTTP/2's client preface ("PRI * HTTP/2.0") goes to grpc-go,
// anything else to net/http. With TLS the same listener does the handshake
// first, and then looks at the decrypted bytes. A client that speaks HTTP/2
// but not gRPC (curl over TLS does) shows itself only by the content-type of
// its first request: offering such clients nothing but http/1.1 in ALPN is not
// possible, since they look the same as gRPC's there, so that listener has to
// read on to the first HEADERS frame in the TLS case.
//
// # Imports
//
// Packages backend, backend/state and revision, for their sentinel errors and
// plain types; what the facade needs of a running backend comes in as the
// Backend interface. etcd's API protobufs. Never ZooKeeper's client.
package server
