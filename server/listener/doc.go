// Package listener leads from a URL to a connection: it binds the sockets of listen
// URLs (listen.go), finds out whether a connection speaks gRPC or HTTP
// (protocolmux.go), and has it speak TLS, from files that may be replaced at any time
// (tls.go). It bounds how many connections there are, ends idle ones to make room
// (connections.go, conn.go), and knows how many the process has descriptors for
// (descriptors.go). What clients do wrong is logged, but not over and over.
//
// It may import package throttle, gRPC's credentials and peers, and the logger; nothing
// else of zkine.
package listener
