package main

// row is a load and what it may cost.
type row struct {
	name, what string
	seconds    int // how long the load goes on

	// What the servers are given first.
	tls         bool // serve TLS, too
	descriptors int  // may have no more; 0 is no bound of ours
	auth        bool // has a user, root, and demands tokens
	data        data

	// What is asked of zkine.
	memory int // MiB that it may grow beyond room and what etcd grows: what its own bounds let these clients hold, about
	alone  int // MiB that it may grow, whatever etcd does
	conns  int // connections of the load: so many descriptors it may need, besides a few
	// newcomers says that those need not be served, as when there are no descriptors for them.
	closed bool
}

// data is what a server holds before the load.
type data string

const (
	nothing   data = ""
	largeList data = "50 MiB"
	manyEvent data = "100,000 events"
)

// rows are all of them. The name is the load's.
var rows = []row{
	{name: "idle-connections", what: "10,000 TCP connections that say nothing", seconds: 15, memory: 32, alone: 332, conns: 10_000},
	{name: "preface-only", what: "300 connections that say the preface of HTTP/2 and no more; the server may have 256 descriptors", seconds: 12,
		descriptors: 256, alone: 96, conns: 256, closed: true},
	{name: "tls-half-open", what: "1,000 TLS handshakes that are not gone on with, half of them without a byte", seconds: 12, tls: true,
		alone: 132, conns: 1000},
	{name: "reconnects", what: "connections that come and go, up to 2,000 a second, a quarter of them with a call", seconds: 12, alone: 96, conns: 100},
	{name: "garbage", what: "up to 64 KiB of random bytes to the ports for clients, for TLS and for metrics, again and again", seconds: 12, tls: true,
		alone: 96, conns: 40},
	{name: "slow-headers", what: "200 requests of HTTP/1 on each of the three ports, with a header more each second", seconds: 15, tls: true,
		alone: 96, conns: 600},
	{name: "large-headers", what: "headers of 2 MiB over HTTP/1 on two ports, metadata of 256 KiB over gRPC, by 20 clients", seconds: 12, memory: 32, alone: 320, conns: 200},
	{name: "watch-streams", what: "10,000 watch streams on one connection", seconds: 15, memory: 128, alone: 632, conns: 1},
	{name: "watch-churn-unread", what: "watches created and cancelled on 10 streams that never read", seconds: 12, memory: 16, alone: 128, conns: 10},
	{name: "progress-unread", what: "requests for progress on 10 streams that never read", seconds: 12, memory: 16, alone: 128, conns: 10},
	{name: "refused-unread", what: "watches without a token on 10 streams that never read", seconds: 12, auth: true, memory: 16, alone: 128, conns: 10},
	{name: "slow-lists", what: "a list of 50 MiB for 20 clients that read 1 KiB/s", seconds: 15, data: largeList, memory: 128, alone: 2532, conns: 20},
	{name: "slow-events", what: "100,000 events for 20 clients that read 1 KiB/s", seconds: 15, data: manyEvent, memory: 128, alone: 1532, conns: 20},
	{name: "stalled-snapshots", what: "20 snapshots of 50 MiB whose readers stop after the first part", seconds: 15, data: largeList, memory: 128, alone: 1532, conns: 60},
	{name: "login-large-names", what: "20 failed logins with names of 1 MiB", seconds: 8, auth: true, memory: 32, alone: 132, conns: 1},
	{name: "login-wrong", what: "20 clients that try wrong passwords", seconds: 12, auth: true, alone: 96, conns: 20},
	{name: "gateway-large-unary", what: "4 clients send JSON of 100 MiB to /v3/kv/put, without a token", seconds: 12, auth: true, memory: 96, alone: 320, conns: 8},
	{name: "gateway-large-watch", what: "4 clients send JSON of 100 MiB to /v3/watch, without a token", seconds: 12, auth: true, memory: 96, alone: 320, conns: 8},
	{name: "gateway-slow-body", what: "20 clients send the same with 640 KiB/s", seconds: 15, auth: true, memory: 96, alone: 320, conns: 40},
	{name: "lease-grants", what: "20 clients grant leases of 5 s as fast as they can, 2,000 each", seconds: 12, memory: 32, alone: 232, conns: 20},
	{name: "keepalives", what: "20 clients renew a lease each as fast as they are answered", seconds: 12, alone: 96, conns: 20},
	{name: "keepalives-unread", what: "20 clients renew a lease each, and read no answer", seconds: 12, memory: 32, alone: 192, conns: 20},
	{name: "concurrent-puts", what: "1,000 puts under way on one connection", seconds: 12, memory: 128, alone: 432, conns: 1},
	{name: "over-limit", what: "puts of 2 MiB and transactions of 1,000 operations by 20 clients", seconds: 12, memory: 32, alone: 332, conns: 20},
}
