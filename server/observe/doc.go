// Package observe serves what a zkine tells of itself: who asks it for what, where it
// stands, and what its ensemble says. It is a gRPC service of zkine's own, beside
// etcd's on the client URLs, that `zkine top` asks.
//
//	types.go    what is told of a member and of a ZooKeeper server
//	service.go  the service
//	convert.go  its messages, and package usage's
//	process.go  what the process takes
//
// # Imports
//
// Package observepb, the messages; of packages usage and v3rpc what is told and who may
// ask.
package observe
