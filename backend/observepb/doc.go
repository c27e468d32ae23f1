// Package observepb is the gRPC service by which a zkine tells what it does: who asks
// for what, where the member stands, and what its ensemble says. It is zkine's own, on
// the client URLs, generated from observe.proto by `make proto`. Package server/observe
// serves it; backend/access.go says who may ask.
//
// It imports nothing of zkine.
package observepb

//go:generate go run ../../revision/recordpb/gen -grpc zkine/observepb/observe.proto
