// Package wiregrpc is a gRPC client that costs little: calls on one plaintext connection, with requests and replies in
// their wire form.
//
// The load generator shares its machine with the servers that it measures. With grpc-go's client it would take as much
// of the processors as they do, for what no server is compared by: goroutines that hand each frame on to another one,
// a write for each, messages that are allocated, copied and built. Here a unary call is one write, one wake-up of one
// goroutine, and a scan of the reply's bytes where they were read.
//
// # Who does what
//
// Each Conn has one goroutine, started by Dial and ended by Close or with the connection. It reads frames, gathers the
// messages of a stream in the stream's buffer and calls the stream's Scanner with each. Whoever calls writes: the
// frames of a request go into the connection's buffer while its lock is held, and are flushed before it is released.
//
// What the reader has to write, it writes before it waits for more. That goes for the answer to a PING, too, which a
// grpc-go server sends with nearly every lone reply, to estimate the bandwidth: it costs both sides as much as it does
// with grpc-go's client.
//
// There are three locks. A stream's is held while its messages are scanned, and the scanner may send; outlet's is held
// while frames are written; Conn's mu guards what both sides know of streams and windows, for a few instructions. They
// are taken in this order.
//
// # What it leaves out
//
// TLS, compression, name resolution, retries and reconnects; a broken connection stays broken. It does not tell the
// server a call's deadline (grpc-timeout), only resets the stream when it has passed. It does not look at
// SETTINGS_MAX_CONCURRENT_STREAMS, which etcd does not limit, and the metadata of a request must fit into one frame.
// It relies on a server that reads on while it writes, as grpc-go's do: while a request's bytes do not get into the
// socket for want of that, neither a context nor anything but Close ends the call.
package wiregrpc
