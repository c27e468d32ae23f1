// Package housekeep does what goes on beside the requests of clients, and mostly
// is done by one member for all, the keeper:
//
//	keeper.go           which member is the keeper, and its loop
//	leader.go           which member Status names as the leader
//	housekeeping.go     the loop of slow work: checkpoints, trimming, packing
//	checkpoint.go       writing the state as it was at the end of a segment
//	confirm.go          other members confirm a state before it is stored
//	defragment.go       the same at once, for Defragment and physical compactions
//	corruptcheck.go     members compare digests of their states
//	compactor.go        automatic compaction
//	physicalcompact.go  how far a compaction has freed memory
//	compactionhash.go   the hashes that etcd computes while it compacts
//	replay.go           what a start costs besides the length of the log
//	room.go             what ZooKeeper holds
//
// A Housekeeper gets what it needs as an Env, and is told by the apply loop what
// was applied.
//
// # Goroutines
//
// All begin with Start, or as said, and end with the Housekeeper's context. Close
// waits for them.
//
//	digestLoop          input: marks in the log
//	compactionHashLoop  input: compactions in the log
//	housekeepLoop       input: ends of segments, wishes, a ticker
//	keeperLoop          input: a ticker
//	leaderLoop          input: ConfirmLeader; while it runs, one for each member
//	                    that is asked for a sign of life
//
// It may import state, revision for the vocabulary, etcd's API and metrics; never
// backend and never ZooKeeper's client.
package housekeep
