// Package revision is the vocabulary of the log: revisions and places, slots
// and batches, members, sizes, checkpoints, and the errors that the log ends
// with. It does nothing.
//
// The packages below it are the log on ZooKeeper: zkclient talks to ZooKeeper,
// zkroot knows what lies under a root, zkmember keeps the list of members, and
// zklog is the log itself.
//
// It imports recordpb, and nothing else of zkine. Every package of zkine may
// import it.
package revision
