// Package recordpb holds the protobuf messages of the revision log's records,
// generated from record.proto by `make proto`. etcd's own API messages are the
// vocabulary; only what etcd keeps outside its API (renewals, expiry) is new.
//
// It imports nothing of zkine.
package recordpb

//go:generate go run ./gen zkine/recordpb/record.proto
