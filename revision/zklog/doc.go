// Package zklog is the log on ZooKeeper: a totally ordered list of requests that
// every zkine applies.
//
// It appends with exact resolution of unknown outcomes (append.go, stage.go),
// reads in order (next.go, tail.go, readahead.go), learns of others' slots
// (follow.go), shows how far there is to go (barrier.go), recognises the log on
// each new connection (recognise.go) and halts a root that went back (trust.go).
// It rotates segments, writes checkpoints, packs and removes what is needless,
// and measures what is there.
//
// # Ordering
//
// A batch's place is the number of its sequential znode. An append is one multi
// whose check binds it to the open segment; so a segment, once sealed by a
// rotation, never gets another slot, and slots are dense within it. Next
// delivers each place once, in order, and nothing else decides what comes before
// what: not the order of Append calls, not that of their replies.
//
// # Goroutines
//
// Session.Run keeps one verified connection up. The follower learns of others'
// slots by watch and poll. A halt is left by a goroutine that waits for the
// session's end. A rotation, a read ahead and a sign of life each run in one of
// their own. All are of the link's Group and end with Close, which waits for
// them. Next is called by one goroutine of the caller's; Append, Barrier and
// Members by any.
//
// It may import revision, recordpb, zkclient, zkroot, zkmember and throttle, and
// ZooKeeper's Go client; nothing else of zkine.
package zklog
