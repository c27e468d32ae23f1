// Package zkroot knows what lies under a root in ZooKeeper: the znodes
// (layout.go draws them), the bytes of slots (codec.go), packs (pack.go),
// checkpoints and large blobs (blob.go), and the limits within which they are
// believed (limits.go).
//
// A Reader reads and judges all of it, for the log and for an operator who
// verifies a root. What writes are the making of a root, a halt and the decision
// about it, and the parts of a blob; all other writes are zklog's.
//
// It has no goroutines and keeps nothing between two calls.
//
// It may import revision, recordpb, zkclient for the operations of a multi and
// the meaning of errors, ZooKeeper's Go client and zstd; nothing else of zkine.
package zkroot
